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

// CPA TR-26: the days of a zone, where clocks are changed in winter and summer, at
// midnight, and where midnight is left out or comes twice.
func TestDaysOfAZone(t *testing.T) {
	for _, tt := range []struct{ in, zone, start, end string }{
		{"2027", "America/Chicago", "2027-01-01T06:00:00Z", "2028-01-01T05:59:59.999999999Z"},
		{"2027-05", "America/Chicago", "2027-05-01T05:00:00Z", "2027-06-01T04:59:59.999999999Z"},
		{"2026-11", "America/Chicago", "2026-11-01T05:00:00Z", "2026-12-01T05:59:59.999999999Z"},
		{"2028-02", "Pacific/Auckland", "2028-01-31T11:00:00Z", "2028-02-29T10:59:59.999999999Z"},
		// No midnight: the clocks go from 24:00 to 01:00.
		{"2026-09-06", "America/Santiago", "2026-09-06T04:00:00Z", "2026-09-07T02:59:59.999999999Z"},
		{"2026-09-05", "America/Santiago", "2026-09-05T04:00:00Z", "2026-09-06T03:59:59.999999999Z"},
		// An hour that comes twice before midnight belongs to the day that ends.
		{"2026-04-04", "America/Santiago", "2026-04-04T03:00:00Z", "2026-04-05T03:59:59.999999999Z"},
		// Midnight itself comes twice: at 01:00 the clocks go back to it.
		{"2026-11-01", "America/Havana", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59.999999999Z"},
		{"2026-10-31", "America/Havana", "2026-10-31T04:00:00Z", "2026-11-01T03:59:59.999999999Z"},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := ParseDate(tt.in)
		got := InZone(p, zone)
		if s, e := got.Start.Format(time.RFC3339Nano), got.End.Format(time.RFC3339Nano); s != tt.start || e != tt.end {
			t.Errorf("%s in %s: %s to %s, want %s to %s", tt.in, tt.zone, s, e, tt.start, tt.end)
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
