package paper_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/mandate-health/mandate/web/pages/record/paper"
)

// AU-13: a copy is the same file for the same words, names its mark in its
// properties, and says when letters are missing.
func TestACopyIsDrawn(t *testing.T) {
	c := paper.Copy{
		Title: "Medicines", Lead: "Record of Rosa Álvarez", Across: "Copy for Elena", Foot: "Number 0f3a", Mark: "0f3a77c1",
		Made: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
	}
	for range 120 {
		c.Lines = append(c.Lines, paper.Line{Date: "1 May", Title: "Morphine", Detail: "ёж"})
	}
	one, partial, err := paper.PDF(c)
	if err != nil || partial || !bytes.HasPrefix(one, []byte("%PDF-")) {
		t.Fatal(partial, err)
	}
	if two, _, _ := paper.PDF(c); !bytes.Equal(one, two) {
		t.Error("the same copy is another file")
	}
	if pages := bytes.Count(one, []byte("/Type /Page\n")); pages < 3 {
		t.Errorf("%d pages", pages)
	}
	c.Lead = "روزا"
	if _, partial, err := paper.PDF(c); err != nil || !partial || paper.Drawable(c.Lead) {
		t.Error("missing letters are not told", err)
	}
}
