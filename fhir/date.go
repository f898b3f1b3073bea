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

// InZone reads a date of ParseDate as days of a zone: from the first instant of its
// first day there to the last of its last, however the clocks are changed on those
// days. Only dates without a time of day stand for days; the rest is the caller's.
func InZone(p Period, zone *time.Location) Period {
	return Period{Start: firstOf(p.Start, zone), End: firstOf(p.End.Add(time.Nanosecond), zone).Add(-time.Nanosecond)}
}

// firstOf gives the first instant of a day in a zone, where clocks may have no
// midnight that day, or two.
func firstOf(day time.Time, zone *time.Location) time.Time {
	t := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
	if midnight := t.Hour() == 0 && t.Minute() == 0 && t.Day() == day.Day(); !midnight {
		// The clocks leap over midnight: the day begins when they do.
		from, until := t.ZoneBounds()
		if t.Day() == day.Day() {
			return from.UTC()
		}
		return until.UTC()
	}
	if from, _ := t.ZoneBounds(); !from.IsZero() {
		// The clocks may have gone back over midnight: the earlier one counts.
		_, before := from.Add(-time.Nanosecond).Zone()
		_, now := t.Zone()
		if earlier := t.Add(time.Duration(now-before) * time.Second); before > now && earlier.Before(from) {
			return earlier.UTC()
		}
	}
	return t.UTC()
}

func span(layout, s string, next func(time.Time) time.Time) (Period, bool) {
	t, err := time.Parse(layout, s)
	if err != nil {
		return Period{}, false
	}
	t = t.UTC()
	return Period{Start: t, End: next(t).Add(-time.Nanosecond)}, true
}
