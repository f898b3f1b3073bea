package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// Record is "My record": the kinds of data that the reader can look through.
type Record struct {
	Frame
	Kinds []CaseAct
}

// Template names the page.
func (Record) Template() string { return "record" }

// RecordEntry is one entry of a record.
type RecordEntry struct {
	// Item is its reference, as forms post it.
	Item string
	Kind KindRef
	// Title and Detail are in the words of the record; empty where it has none.
	Title, Detail string
	// Date is the day it is about (UTC).
	Date time.Time
	// Kept: kept from everybody who helps.
	Kept bool
}

// RecordKind lists the entries of one kind. Posts: item and answer=keep or
// answer=share.
type RecordKind struct {
	Frame
	// Kind is a name of a kind of data.
	Kind    string
	Entries []RecordEntry
	// OlderURL is empty if there are no more.
	OlderURL, CopyURL string
	// PrivateURL leads to what is left out until a proof is given; empty if nothing is.
	PrivateURL string
}

// Template names the page.
func (RecordKind) Template() string { return "record-kind" }

func (p RecordKind) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "record-kind.title." + p.Kind, nil
}

// RecordCopy asks for a copy. Posts: answer=pdf or answer=print, and kind when
// Kinds are offered.
type RecordCopy struct {
	Frame
	// Kind is the kind to copy, unless Kinds are offered.
	Kind    string
	Kinds   []string
	Patient string
}

// Template names the page.
func (RecordCopy) Template() string { return "record-copy" }

// RecordCopied is a copy to print.
type RecordCopied struct {
	Frame
	Kind string
	// Patient is whose record it is, For who has the copy.
	Patient, For string
	// Mark is the id by which the copy is traced, in groups.
	Mark string
	// Made is UTC.
	Made    time.Time
	Entries []RecordEntry
}

// Template names the page.
func (RecordCopied) Template() string { return "record-copied" }

func (p RecordCopied) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "record-copied.title", words.Args{"patient": p.Patient}
}

// Date gives a day in words, in the zone of the pages.
func (k *Kit) Date(lang string, t time.Time) string { return k.deps.Words.Date(lang, k.local(t)) }

// Stamp gives a day and time in words, in the zone of the pages.
func (k *Kit) Stamp(lang string, t time.Time) string {
	return k.deps.Words.DateTime(lang, k.local(t))
}
