package dataset

import (
	"bytes"
	"embed"
	"time"
)

//go:embed examples/*.json
var exampleFiles embed.FS

// writtenOn is the day the example files were written around (Unix seconds of
// 2026-11-20T00:00Z); their dates move by the distance from it.
const writtenOn = 1795132800

func (g *gen) shiftDays() int { return int(g.day.Unix()-writtenOn) / 86400 }

// example appends the named file, compact and moved to the start day.
func (g *gen) example(name string) {
	raw, err := exampleFiles.ReadFile("examples/" + name)
	if err != nil {
		return // an embedded file cannot be missing; the tests count them
	}
	raw = shiftDates(compact(raw), g.shiftDays())
	g.out = append(g.out, Resource{
		Type: stringAfter(raw, `"resourceType":"`),
		ID:   stringAfter(raw, `"id":"`),
		JSON: raw,
	})
}

func (g *gen) consents() {
	for _, name := range []string{
		"e1-daughter-meds-appts", "e2-husband-full-normal", "e3-agent-springing",
		"e4-block-former-spouse", "e5-teen-mother-limited", "e6-part2-sister",
		"e7-executor", "e8-daughter-download",
	} {
		g.example(name + ".json")
	}
}

// compact drops the white space between JSON tokens.
func compact(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	inside := false
	for i, c := range raw {
		if c == '"' && (i == 0 || raw[i-1] != '\\') {
			inside = !inside
		}
		if inside || (c != ' ' && c != '\n') {
			out = append(out, c)
		}
	}
	return out
}

// stringAfter is the text between the first occurrence of mark and the next
// quotation mark.
func stringAfter(raw []byte, mark string) string {
	_, rest, _ := bytes.Cut(raw, []byte(mark))
	value, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(value)
}

// shiftDates moves, in place, every string value that is a date or begins with
// one by whole days. Clock times and zone offsets stay, and so do ids and
// names that merely contain digits.
func shiftDates(raw []byte, days int) []byte {
	for i := 0; i+12 <= len(raw); i++ {
		if raw[i] != '"' || (raw[i+11] != '"' && raw[i+11] != 'T') {
			continue
		}
		day, err := time.Parse(time.DateOnly, string(raw[i+1:i+11]))
		if err != nil {
			continue
		}
		copy(raw[i+1:i+11], day.AddDate(0, 0, days).Format(time.DateOnly))
	}
	return raw
}
