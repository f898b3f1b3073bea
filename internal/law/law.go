package law

import (
	"slices"
	"time"
)

// Law is what holds in one jurisdiction. It is a value that nobody changes, safe for
// concurrent use.
type Law struct {
	// Pack has all rules, those that are inherited too.
	Pack
	// Version names the pack and the text of every file that it rests on.
	Version string
	// Files are where it stands, its own first.
	Files []string
	zone  *time.Location
}

// Turns gives the first instants at which somebody born on a day is a teenager, and
// an adult, by the law as it stands on each day. ok is false for a date that is not
// one, or without a rule.
func (l *Law) Turns(born string) (teen, adult time.Time, ok bool) {
	day, err := time.ParseInLocation(time.DateOnly, born, l.zone)
	if err != nil {
		return teen, adult, false
	}
	for _, r := range l.Ages {
		teen = l.reached(teen, day, r.Span, r.Teen, r.LeapDay)
		adult = l.reached(adult, day, r.Span, r.Adult, r.LeapDay)
	}
	return teen, adult, !teen.IsZero() && !adult.IsZero()
}

// Alone gives, for each topic that a minor decides about alone, the first instant at
// which somebody born on a day does.
func (l *Law) Alone(born string) map[string]time.Time {
	out := map[string]time.Time{}
	day, err := time.ParseInLocation(time.DateOnly, born, l.zone)
	if err != nil {
		return out
	}
	for _, r := range l.MinorTopics {
		if at := l.reached(out[r.Topic], day, r.Span, r.Age, l.leapDay()); !at.IsZero() {
			out[r.Topic] = at
		}
	}
	return out
}

func (l *Law) leapDay() string {
	for _, r := range l.Ages {
		return r.LeapDay
	}
	return "03-01"
}

// reached gives the earlier of an instant and of the first at which a rule says that
// an age is reached. A law may lower an age, and so bring it on the day it begins.
func (l *Law) reached(so time.Time, born time.Time, s Span, years int, leapDay string) time.Time {
	at := birthday(born, years, leapDay)
	// A rule was read with its days in order.
	if from, _ := time.ParseInLocation(time.DateOnly, s.From, l.zone); at.Before(from) {
		at = from
	}
	if s.Until != "" {
		if until, _ := time.ParseInLocation(time.DateOnly, s.Until, l.zone); !at.Before(until) {
			return so
		}
	}
	if so.IsZero() || at.Before(so) {
		return at
	}
	return so
}

// birthday gives the begin of the day on which somebody is so many years old.
func birthday(born time.Time, years int, leapDay string) time.Time {
	year := born.Year() + years
	leap := time.Date(year, time.February, 29, 0, 0, 0, 0, born.Location()).Month() == time.February
	if born.Month() == time.February && born.Day() == 29 && !leap && leapDay == "02-28" {
		return time.Date(year, time.February, 28, 0, 0, 0, 0, born.Location())
	}
	// 29 February of a year without one is 1 March.
	return time.Date(year, born.Month(), born.Day(), 0, 0, 0, 0, born.Location())
}

// GroundsAt lists the grounds for a denial that hold at an instant.
func (l *Law) GroundsAt(at time.Time) []Ground {
	return slices.DeleteFunc(slices.Clone(l.Grounds), func(g Ground) bool { return !g.holds(at, l.zone) })
}

// Known reports whether there is such a ground at an instant.
func (l *Law) Known(id string, at time.Time) bool {
	return slices.ContainsFunc(l.GroundsAt(at), func(g Ground) bool { return g.ID == id })
}

// GroundOf gives a ground that holds at an instant, or held before; the zero one if
// there never was one.
func (l *Law) GroundOf(id string, at time.Time) Ground {
	for _, g := range slices.Concat(l.GroundsAt(at), l.Grounds) {
		if g.ID == id {
			return g
		}
	}
	return Ground{}
}

// Days gives what a clock says at an instant, in the clock's unit; otherwise what it
// is without a rule: ten working days for a denial, ninety days for a capacity.
func (l *Law) Days(clock string, at time.Time) int {
	for _, c := range l.Clocks {
		if c.Name == clock && c.holds(at, l.zone) {
			return c.Days
		}
	}
	if clock == ClockDenial {
		return 10
	}
	return 90
}

// NoticeAt gives the notice of a name at an instant; ok is false without one.
func (l *Law) NoticeAt(name string, at time.Time) (n Notice, ok bool) {
	for _, n := range l.Notices {
		if n.Name == name && n.holds(at, l.zone) {
			return n, true
		}
	}
	return Notice{}, false
}

// Labels gives the sensitivity labels of a topic at an instant, none without a rule:
// then nothing opens the topic by its name.
func (l *Law) Labels(topic string, at time.Time) []string {
	for _, t := range l.Topics {
		if t.Topic == topic && t.holds(at, l.zone) {
			return slices.Clone(t.Labels)
		}
	}
	return nil
}
