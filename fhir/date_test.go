package fhir

import (
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UTC()
	}
	for in, want := range map[string]Period{
		"2026":                      {at("2026-01-01T00:00:00Z"), at("2026-12-31T23:59:59.999999999Z")},
		"2024-02":                   {at("2024-02-01T00:00:00Z"), at("2024-02-29T23:59:59.999999999Z")},
		"2026-03-05":                {at("2026-03-05T00:00:00Z"), at("2026-03-05T23:59:59.999999999Z")},
		"2026-03-05T10:20":          {at("2026-03-05T10:20:00Z"), at("2026-03-05T10:20:59.999999999Z")},
		"2026-03-05T10:20:30+02:00": {at("2026-03-05T08:20:30Z"), at("2026-03-05T08:20:30.999999999Z")},
		"2026-03-05T10:20:30.1Z":    {at("2026-03-05T10:20:30.1Z"), at("2026-03-05T10:20:30.199999999Z")},
		"2016-12-31T23:59:60Z":      {at("2016-12-31T23:59:59Z"), at("2016-12-31T23:59:59.999999999Z")},
	} {
		if got, ok := ParseDate(in); !ok || !got.Start.Equal(want.Start) || !got.End.Equal(want.End) {
			t.Errorf("%s: got %v %v", in, got, ok)
		}
	}
	for _, bad := range []string{"", "26", "2026-13", "2026-02-30", "2026-03-05 10:20", "2026-03-05T", "2026-03-05T25:00:00Z", "2026-03-05T10:20:30,5Z", "gibberish!"} {
		if got, ok := ParseDate(bad); ok {
			t.Errorf("%q read as %v", bad, got)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	f.Add("2026-03-05T10:20:30.123456789012Z")
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := ParseDate(s); ok && p.End.Before(p.Start) {
			t.Errorf("%q: the range ends before it starts", s)
		}
	})
}
