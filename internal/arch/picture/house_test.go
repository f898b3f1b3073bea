package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func sample(t *testing.T) *house {
	t.Helper()
	h, err := newHouse(map[string][]string{
		".":                   nil,
		"cmd/app":             {"web", "store", "web/pages", "internal/ids", "fhir"},
		"web":                 {"web/pages"},
		"web/pages":           {"fhir"},
		"store":               {"fhir", "internal/ids", "migrations"},
		"fhir":                {"internal/ids"},
		"internal/ids":        nil,
		"migrations":          nil,
		"conformance/journey": nil,
	}, [][]string{{"internal", "migrations"}, {"fhir"}, {"store", "web"}, {"cmd"}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLadderLeavesOutWhatALongerWayReplaces(t *testing.T) {
	text := string(sample(t).ladder())
	for _, line := range []string{
		"5 arrows between", "  3    cmd            store web\n", "  2    store          fhir migrations\n",
		"  2    web            fhir\n", "  1    fhir\n", "  -    conformance\n",
		"web                        web/pages\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is missing in:\n%s", line, text)
		}
	}
	if strings.Contains(text, "internal/ids") {
		t.Error("the ground is drawn")
	}
}

func TestDrawingIsXMLAndTheSameEachTime(t *testing.T) {
	first := sample(t).svg()
	if !bytes.Equal(first, sample(t).svg()) {
		t.Error("two drawings of one house differ")
	}
	for dec := xml.NewDecoder(bytes.NewReader(first)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if got := bytes.Count(first, []byte("marker-end")); got != 5 {
		t.Errorf("%d arrows drawn, want 5", got)
	}
}

func TestCircleCannotBeDrawn(t *testing.T) {
	_, err := newHouse(map[string][]string{"web/a": {"store"}, "store": {"web/b"}, "web/b": nil}, nil)
	if err == nil || !strings.Contains(err.Error(), "store -> web -> store") {
		t.Errorf("got %v", err)
	}
}

func TestPageKeepsWhatStandsAroundThePicture(t *testing.T) {
	page := "# Title\n" + string(begin) + "old\n" + string(end) + "after\n"
	got, err := replace([]byte(page), []byte("new\n"))
	if want := "# Title\n" + string(begin) + "new\n" + string(end) + "after\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := replace([]byte("# Title\n"), nil); err == nil {
		t.Error("a page without marks was accepted")
	}
}
