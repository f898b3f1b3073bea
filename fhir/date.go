package fhir

import (
	"strings"
	"time"
)

// ParseDate reads a FHIR date, dateTime or instant of any precision as the
// closed range of instants it stands for, to the nanosecond: "2026-03" is the
// whole month (R4 §3.1.1.4.5). A value without a zone is read as UTC. Leap
// seconds count as the second before. ok is false for anything else.
func ParseDate(s string) (p Period, ok bool) {
	switch len(s) {
	case 4:
		return span("2006", s, func(t time.Time) time.Time { return t.AddDate(1, 0, 0) })
	case 7:
		return span("2006-01", s, func(t time.Time) time.Time { return t.AddDate(0, 1, 0) })
	case 10:
		return span("2006-01-02", s, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) })
	}
	if len(s) < 16 || len(s) > 40 || s[10] != 'T' {
		return Period{}, false
	}
	if len(s) >= 19 && s[16:19] == ":60" {
		s = s[:16] + ":59" + s[19:]
	}
	clock, zone := s[11:], ""
	if i := strings.IndexAny(clock, "Z+-"); i >= 0 {
		clock, zone = clock[:i], "Z07:00"
	}
	if len(clock) == 5 {
		return span("2006-01-02T15:04"+zone, s, func(t time.Time) time.Time { return t.Add(time.Minute) })
	}
	if strings.Contains(clock, ",") {
		return Period{}, false
	}
	width := time.Second
	if _, fraction, found := strings.Cut(clock, "."); found {
		for range min(len(fraction), 9) {
			width /= 10
		}
	}
	return span("2006-01-02T15:04:05"+zone, s, func(t time.Time) time.Time { return t.Add(width) })
}

func span(layout, s string, next func(time.Time) time.Time) (Period, bool) {
	t, err := time.Parse(layout, s)
	if err != nil {
		return Period{}, false
	}
	t = t.UTC()
	return Period{Start: t, End: next(t).Add(-time.Nanosecond)}, true
}
