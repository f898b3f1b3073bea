package proxy

import (
	"bytes"
	_ "embed" // the data of this file
	"encoding/json"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
)

//go:embed minor_ages.json
var minorAges []byte

// AgeRule says, for one jurisdiction and one span of days, at which ages a parent
// sees less and nothing any more (LC-20, LC-21). It is data: see minor_ages.json.
type AgeRule struct {
	Jurisdiction string `json:"jurisdiction"`
	// From is the first day on which the rule holds, Until the first on which it
	// holds no more; empty: open.
	From  string `json:"from"`
	Until string `json:"until,omitempty"`
	// Teen and Adult are ages in years. Teen is where a parent's access becomes
	// what the teenager agrees to.
	Teen  int `json:"teen"`
	Adult int `json:"adult"`
	// LeapDay is the birthday, in years without one, of those born on 29 February:
	// 02-28 or 03-01.
	LeapDay string `json:"leap_day"`
	// Source is where the rule stands.
	Source string `json:"source"`
}

// Ages are the rules of all jurisdictions.
type Ages []AgeRule

// ReadAges reads rules strictly: a member that is not known, a span that overlaps
// another of its jurisdiction or an age that makes no sense refuses the whole.
// Errors: errs.Invalid.
func ReadAges(raw []byte) (Ages, error) {
	bad := func(msg string) error { return errs.New(errs.Invalid, "minor-ages-malformed", msg) }
	if err := strictjson.Check(raw); err != nil {
		return nil, err
	}
	var doc struct {
		MinorAges Ages `json:"minor_ages"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "minor-ages-malformed", "The rules about ages cannot be read.")
	}
	for i, r := range doc.MinorAges {
		from, err := time.Parse(time.DateOnly, r.From)
		until, end := time.Parse(time.DateOnly, r.Until)
		switch {
		case r.Jurisdiction == "" || r.Source == "":
			return nil, bad("A rule names no jurisdiction or no source.")
		case err != nil || r.Until != "" && (end != nil || !until.After(from)):
			return nil, bad("The days of a rule are not right: " + r.Jurisdiction)
		case r.Teen < 1 || r.Adult <= r.Teen || r.Adult > 25:
			return nil, bad("The ages of a rule are not right: " + r.Jurisdiction)
		case r.LeapDay != "02-28" && r.LeapDay != "03-01":
			return nil, bad("The birthday of a leap day is not right: " + r.Jurisdiction)
		}
		for _, o := range doc.MinorAges[:i] {
			if o.Jurisdiction == r.Jurisdiction && (o.Until == "" || o.Until > r.From) && (r.Until == "" || r.Until > o.From) {
				return nil, bad("Two rules hold at once: " + r.Jurisdiction)
			}
		}
	}
	return doc.MinorAges, nil
}

// ShippedAges gives the rules that come with the program. Errors: errs.Invalid,
// never for the file as it is shipped.
func ShippedAges() (Ages, error) { return ReadAges(minorAges) }

// Jurisdictions lists those that have rules.
func (a Ages) Jurisdictions() []string {
	var out []string
	for _, r := range a {
		if !slices.Contains(out, r.Jurisdiction) {
			out = append(out, r.Jurisdiction)
		}
	}
	return out
}

// Turns gives the first instants at which somebody born on a day is a teenager,
// and an adult, by the law of a jurisdiction as it stands on each day: a day begins
// in the zone. ok is false for a date that is not one, or a jurisdiction without a
// rule.
func (a Ages) Turns(jurisdiction, born string, zone *time.Location) (teen, adult time.Time, ok bool) {
	day, err := time.ParseInLocation(time.DateOnly, born, zone)
	if err != nil {
		return teen, adult, false
	}
	teen = a.first(jurisdiction, day, zone, func(r AgeRule) int { return r.Teen })
	adult = a.first(jurisdiction, day, zone, func(r AgeRule) int { return r.Adult })
	return teen, adult, !teen.IsZero() && !adult.IsZero()
}

// first gives the first instant at which the rule in force says that the age is
// reached. A law may lower the age, and so bring it on the day it begins.
func (a Ages) first(jurisdiction string, born time.Time, zone *time.Location, age func(AgeRule) int) time.Time {
	var out time.Time
	for _, r := range a {
		if r.Jurisdiction != jurisdiction {
			continue
		}
		at := birthday(born, age(r), r.LeapDay)
		// A rule was read with its days in order.
		if from, _ := time.ParseInLocation(time.DateOnly, r.From, zone); at.Before(from) {
			at = from
		}
		if r.Until != "" {
			if until, _ := time.ParseInLocation(time.DateOnly, r.Until, zone); !at.Before(until) {
				continue
			}
		}
		if out.IsZero() || at.Before(out) {
			out = at
		}
	}
	return out
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
