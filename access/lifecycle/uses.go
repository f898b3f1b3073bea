package lifecycle

import (
	"context"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/proxy"
)

const (
	// settled is how long after midnight a day's looks are counted: by then all of
	// them are in the log.
	settled = 5 * time.Minute
	// mostLooks bounds the looks that are counted for one message.
	mostLooks = 1000
)

// TellOfLooks tells patients what those who help them have looked at: the first time
// (LC-06), and where they wish so each day once, or each copy (SP-15). Each is told in the
// transaction that notes on the case that it was, so that a node which loses its
// turn repeats nothing. Errors: errs.Unavailable.
func (s *Service) TellOfLooks(ctx context.Context) error {
	// An access that began by the clock alone may be stored as agreed upon.
	for _, state := range []proxy.State{proxy.StateActive, proxy.StateConfirmed} {
		if err := s.hearIn(ctx, state); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) hearIn(ctx context.Context, state proxy.State) error {
	for after := ""; ; {
		cases, err := s.Read.CasesAfter(ctx, s.Tenant, state, after, tendAtOnce)
		if err != nil {
			return err
		}
		for _, c := range cases {
			after = c.ID
			if c.At(s.now()) != proxy.StateActive {
				continue
			}
			// Somebody who was faster has left nothing to do.
			if err := s.hear(ctx, c); err != nil && !errs.Is(err, errs.PreconditionFailed) {
				return err
			}
		}
		if len(cases) < tendAtOnce {
			return nil
		}
	}
}

func (s *Service) hear(ctx context.Context, c proxy.Case) error {
	if c.Used.IsZero() {
		looks, err := s.looks(ctx, c, time.Time{}, s.now(), looking()...)
		if err != nil || len(looks) == 0 {
			return err
		}
		next := c
		next.Used = looks[len(looks)-1].Time
		if err := s.note(ctx, next, templateFirst, nil); err != nil {
			return err
		}
		next.Version++
		c = next
	}
	switch c.Telling() {
	case proxy.ToldDaily:
		return s.hearOfDay(ctx, c)
	case proxy.ToldDownloads:
		return s.hearOfCopies(ctx, c)
	}
	return nil
}

func (s *Service) hearOfDay(ctx context.Context, c proxy.Case) error {
	from, until := c.Heard, s.midnight()
	if !from.Before(until) {
		return nil
	}
	looks, err := s.looks(ctx, c, from, until.Add(-time.Microsecond), looking()...)
	if err != nil || len(looks) == 0 {
		return err
	}
	c.Heard = until
	return s.note(ctx, c, templateDay, map[string]string{
		outbox.ArgCount: strconv.Itoa(len(looks)), outbox.ArgSince: looks[len(looks)-1].Time.UTC().Format(time.RFC3339),
	})
}

// hearOfCopies tells what was saved or printed since it was told last.
func (s *Service) hearOfCopies(ctx context.Context, c proxy.Case) error {
	copies, err := s.looks(ctx, c, c.Heard.Add(time.Microsecond), s.now(), audit.RecordCopied)
	if err != nil || len(copies) == 0 {
		return err
	}
	c.Heard = copies[0].Time
	return s.note(ctx, c, templateSaved, map[string]string{
		outbox.ArgCount: strconv.Itoa(len(copies)), outbox.ArgSince: copies[len(copies)-1].Time.UTC().Format(time.RFC3339),
	})
}

// midnight gives the end of the last whole day that is settled.
func (s *Service) midnight() time.Time {
	t := s.now().Add(-settled).In(s.Zone)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, s.Zone).UTC()
}

// note stores the case as the version after the one that was read, with what was told,
// and tells it.
func (s *Service) note(ctx context.Context, c proxy.Case, template string, args map[string]string) error {
	before := c.Version
	c.Version = before + 1
	return s.Tx.InTx(ctx, func(tx Tx) error {
		if err := tx.PutCase(ctx, c, before); err != nil {
			return err
		}
		return s.tellPatientOf(ctx, tx, c, template, args)
	})
}

// looking are the events by which somebody gets to see something of a record.
func looking() []audit.Kind {
	return []audit.Kind{audit.FHIRRead, audit.FHIRSearch, audit.FHIROperation, audit.RecordCopied}
}

// looks gives what the proxy got to see of the record in a time, newest first.
func (s *Service) looks(ctx context.Context, c proxy.Case, since, until time.Time, kinds ...audit.Kind) ([]audit.Event, error) {
	events, err := s.Log.Audits(ctx, audit.Filter{
		Tenant: s.Tenant, Patient: c.Patient, PersonID: c.PersonID, Since: since, Until: until, Limit: mostLooks,
		Kinds: kinds,
	})
	own := events[:0]
	for _, e := range events {
		if e.Outcome == audit.Success && e.Capacity.Acting.ID == c.RelationID {
			own = append(own, e)
		}
	}
	return own, err
}
