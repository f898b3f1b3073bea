package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// Papers is where pictures of papers are put with one person's way to a record.
// Posts as multipart/form-data: csrf first, instrument, file (several).
type Papers struct {
	Frame
	// Reader is proxy or staff.
	Reader string
	// Who is whom it is about, Patient whose record it is.
	Who, Patient string
	Lines        []PaperLine
	// Kind asks which paper it is; the zero field shows no form.
	Kind ActField
}

// PaperLine is one file. Kind is a relationship code, Media its type, Size its bytes;
// who may not read it has no URL.
type PaperLine struct {
	Kind, Media, Who string
	At               time.Time
	Size             int
	URL              string
}

// KB is the size in kilobytes, at least one.
func (l PaperLine) KB() int { return max(1, l.Size>>10) }

// Template names the page.
func (Papers) Template() string { return "papers" }

func (p Papers) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "papers.title." + p.Reader, words.Args{"who": p.Who, "patient": p.Patient}
}

// AskAccess is where somebody asks to help a patient. It says the same whether there
// is such a patient or not. Posts as multipart/form-data: csrf first, name, born,
// number, relation, instrument, file (several).
type AskAccess struct {
	Frame
	// Name, Born and Number are of the patient, as typed.
	Name, Born, Number string
	Who, Kind          ActField
	Sent               []SentRequest
}

// SentRequest is one that was sent, with the name as it was typed.
type SentRequest struct {
	Name     string
	At, Ends time.Time
}

// Template names the page.
func (AskAccess) Template() string { return "ask-access" }
