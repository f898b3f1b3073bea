package registration

import (
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/oauth"
)

// Mode says who may register a client by dynamic registration (RFC 7591).
type Mode string

// The modes.
const (
	// Off: nobody; there is no registration endpoint.
	Off Mode = "off"
	// ByToken: who shows an initial access token that an operator made.
	ByToken Mode = "token"
	// ByApproval: anybody may ask, and an operator approves each client before
	// it gets anything; an initial access token approves in advance.
	ByApproval Mode = "approval"
)

// Policy is what an organization decides about dynamic registration.
type Policy struct {
	Mode Mode
	// AutoPatient approves at once apps that reach one patient at a time, which
	// each person allows by choice.
	AutoPatient bool
	// Holidays are days, beside weekends, on which the clocks of approval stand.
	Holidays Holidays
	// Development takes what Rules.Development takes.
	Development bool
	// Offer is what a client may be registered for here.
	Offer Offer
}

// patientScopes is the ceiling of an app that registers without naming one.
const patientScopes = "openid fhirUser launch launch/patient offline_access patient/*.rs"

// onePatient reports whether a client reaches one patient at a time, whoever
// uses it, and people meet it in their own browser: a device asks by a code that
// a thief may show, and who acts with the tokens of others is chosen by nobody.
func onePatient(c oauth.Client) bool {
	req, err := scope.Parse(c.Scopes, scope.Limits{})
	if err != nil || c.ForItself() || c.DeviceFlow || c.TokenExchange {
		return false
	}
	for _, s := range req.Clinical {
		if s.Level != scope.Patient {
			return false
		}
	}
	return true
}

// Holidays are dates as 2026-12-25.
type Holidays map[string]bool

// ReadHolidays reads a list of dates; the first that is none is given back.
func ReadHolidays(dates []string) (Holidays, string) {
	out := Holidays{}
	for _, d := range dates {
		if _, err := time.Parse(time.DateOnly, strings.TrimSpace(d)); err != nil {
			return nil, d
		}
		out[strings.TrimSpace(d)] = true
	}
	return out, ""
}

// After gives the end of the n-th business day after the day of t, in UTC. The
// day itself does not count.
func (h Holidays) After(t time.Time, n int) time.Time {
	day := t.UTC().Truncate(24 * time.Hour)
	for n > 0 {
		day = day.AddDate(0, 0, 1)
		if h.business(day) {
			n--
		}
	}
	return day.AddDate(0, 0, 1)
}

// Left gives how many business days follow today until the end due: none on the
// last day, and fewer than none when due is past, by today at the latest.
func (h Holidays) Left(now, due time.Time) int {
	n, step := 0, 1
	tomorrow := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	from, to := tomorrow, due
	if !now.Before(due) {
		from, to, step = due, tomorrow, -1
	}
	for day := from; day.Before(to); day = day.AddDate(0, 0, 1) {
		if h.business(day) {
			n += step
		}
	}
	return n
}

func (h Holidays) business(day time.Time) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday && !h[day.Format(time.DateOnly)]
}

// The clocks of 45 CFR 170.404(b)(1), in business days (REG-08).
const (
	authenticityDays = 10
	productionDays   = 5
)

// Deadline is one clock of an approval.
type Deadline struct {
	// Due is until when; zero while the clock has not begun.
	Due time.Time `json:"due,omitzero"`
	// Done is when it was met; zero while it runs.
	Done time.Time `json:"done,omitzero"`
	// DaysLeft are the business days that follow today while it runs: 0 on the
	// last day, negative when it is late.
	DaysLeft int  `json:"business_days_left"`
	Late     bool `json:"late"`
}

// LastDay gives the last day, in UTC, on which the deadline can be met; zero
// while the clock has not begun.
func (d Deadline) LastDay() time.Time {
	if d.Due.IsZero() {
		return d.Due
	}
	return d.Due.AddDate(0, 0, -1)
}

// Clocks are the two clocks of a registration: ten business days to verify who
// makes the app, five more to let it work (REG-08).
type Clocks struct {
	Authenticity Deadline `json:"authenticity"`
	Production   Deadline `json:"production"`
}

// ClocksOf gives the clocks of a client that asked for registration.
func (h Holidays) ClocksOf(c oauth.Client, now time.Time) Clocks {
	r := c.Registration
	return Clocks{
		Authenticity: h.deadline(r.Asked, r.Authentic, authenticityDays, now),
		Production:   h.deadline(r.Authentic, r.Approved, productionDays, now),
	}
}

func (h Holidays) deadline(begun, done time.Time, days int, now time.Time) Deadline {
	if begun.IsZero() {
		return Deadline{}
	}
	d := Deadline{Due: h.After(begun, days), Done: done}
	if done.IsZero() {
		d.DaysLeft, d.Late = h.Left(now, d.Due), !now.Before(d.Due)
	} else {
		d.Late = !done.Before(d.Due)
	}
	return d
}
