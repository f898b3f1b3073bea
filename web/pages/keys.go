package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// KeyRow is one key as those who run the server see it.
type KeyRow struct {
	// ID is a version, a kid or the id of a key-encryption key; Where is in what
	// it lives.
	ID, Where string
	// State is active, announced or retired.
	State string
	// Made is zero for an age that nobody knows, Due for what nothing follows.
	Made, Due time.Time
	Overdue   bool
}

// KeyGroup are the keys of one kind, as of keys.Kinds.
type KeyGroup struct {
	Kind    string
	Keys    []KeyRow
	Overdue bool
	// RotateURL leads to the question before the next one is made; empty where
	// that is not for this page, or not for this person.
	RotateURL string
}

// OperatorKeys lists the keys, those first that should have been replaced.
type OperatorKeys struct {
	Frame
	Groups []KeyGroup
	// Keeps says that the person is a key custodian.
	Keeps bool
}

// Template names the page.
func (OperatorKeys) Template() string { return "operator-keys" }

// OperatorRotate asks once before a key is replaced. Posts: answer=yes or
// answer=no.
type OperatorRotate struct {
	Frame
	Kind string
}

// Template names the page.
func (OperatorRotate) Template() string { return "operator-rotate" }

func (p OperatorRotate) titleKey(c *words.Catalogue, lang string) (string, words.Args) {
	return "operator-rotate.title", words.Args{"key": c.T(lang, "operator-keys.kind."+p.Kind, nil)}
}
