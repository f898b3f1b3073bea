package app

import (
	"context"
	"fmt"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/proxy"
)

// stage plays a household of the demonstration. Every step goes through the use-cases
// that the pages call, as the person who would take it, and leaves the same audit
// records; after the first error no step does anything.
type stage struct {
	*tenant
	ctx    context.Context
	life   *lifecycle.Service
	secret string
	err    error
}

func (t *tenant) stage(ctx context.Context) *stage {
	s := &stage{tenant: t, ctx: ctx, life: t.life()}
	link := s.life.Link
	// The secret of a link is in the letter alone: the stage reads it over the shoulder.
	s.life.Link = func(secret string) string {
		s.secret = secret
		return link(secret)
	}
	return s
}

func (s *stage) try(do func() error) {
	if s.err == nil {
		s.err = do()
	}
}

// as takes a step as somebody, and gives the case after it.
func (s *stage) as(username string, do func(lifecycle.Actor) (proxy.Case, error)) (c proxy.Case) {
	s.try(func() error {
		p, err := s.store.PersonByID(s.ctx, s.id, "demo-"+username)
		if err != nil {
			return fmt.Errorf("demo person %s: %w", username, err)
		}
		c, err = do(lifecycle.Actor{Person: p, Origin: audit.Event{Tenant: s.id}})
		if err != nil {
			return fmt.Errorf("demo step of %s: %w", username, err)
		}
		return nil
	})
	return c
}

// step takes one that needs the case alone.
type step = func(ctx context.Context, a lifecycle.Actor, id string) (proxy.Case, error)

func (s *stage) does(username string, do step, id string) {
	s.as(username, func(a lifecycle.Actor) (proxy.Case, error) { return do(s.ctx, a, id) })
}

// invites lets a patient invite somebody; a username accepts with that account.
func (s *stage) invites(patient, relation, name, username string) string {
	in := invitationOf(relation, name, username)
	c := s.as(patient, func(a lifecycle.Actor) (proxy.Case, error) { return s.life.Invite(s.ctx, a, in, true) })
	return s.accepts(c, in.Email, username)
}

// lists lets staff put somebody on the list of a patient.
func (s *stage) lists(record, relation, name, username string) string {
	in := invitationOf(relation, name, username)
	c := s.as("hale", func(a lifecycle.Actor) (proxy.Case, error) { return s.life.Register(s.ctx, a, record, in) })
	return s.accepts(c, in.Email, username)
}

// invitationOf gives an address even to those who have no account yet.
func invitationOf(relation, name, username string) proxy.Invitation {
	if username == "" {
		username = "somebody"
	}
	return proxy.Invitation{Name: name, Email: username + "@example.org", Relationship: relation}
}

func (s *stage) accepts(c proxy.Case, email, username string) string {
	if username == "" || s.err != nil {
		return c.ID
	}
	answer := lifecycle.Answer{Secret: s.secret, Email: email, Code: s.life.Code(c)}
	s.as(username, func(a lifecycle.Actor) (proxy.Case, error) { return c, s.life.Accept(s.ctx, answer, a) })
	return c.ID
}

// proofs lets staff look at two papers.
func (s *stage) proofs(id string) string {
	s.as("hale", func(a lifecycle.Actor) (proxy.Case, error) {
		return s.life.Proof(s.ctx, a, id, []string{"passport", "driving-licence"})
	})
	return id
}

// shares lets the patient agree at once.
func (s *stage) shares(patient, id string, until time.Time, kinds, functions []string) {
	s.agrees(patient, id, until, kinds, functions, true)
}

func (s *stage) agrees(patient, id string, until time.Time, kinds, functions []string, urgent bool) {
	s.as(patient, func(a lifecycle.Actor) (proxy.Case, error) {
		return s.life.Confirm(s.ctx, a, id, proxy.Terms{Kinds: kinds, Functions: functions, Until: until}, urgent)
	})
}

// represents lets one member of staff put in an instrument, and another check it.
func (s *stage) represents(record, relation, name, username string, paper proxy.Authority) string {
	id := s.proofs(s.lists(record, relation, name, username))
	s.attests(id, paper)
	s.as("osei", func(a lifecycle.Actor) (proxy.Case, error) {
		var seen []string
		for _, item := range proxy.ChecklistOf(paper.Kind).Items {
			seen = append(seen, item.ID)
		}
		return s.life.Verify(s.ctx, a, id, seen, time.Time{})
	})
	return id
}

func (s *stage) attests(id string, paper proxy.Authority) {
	s.as("hale", func(a lifecycle.Actor) (proxy.Case, error) { return s.life.Attest(s.ctx, a, id, paper) })
}

// activates begins the access of a representative.
func (s *stage) activates(id string) {
	s.as("hale", func(a lifecycle.Actor) (proxy.Case, error) { return s.life.Activate(s.ctx, a, id, false) })
}

// both lets two clinicians do the same.
func (s *stage) both(do step, id string) {
	s.does("hale", do, id)
	s.does("osei", do, id)
}

// in gives the end of the day so many days ahead, as a page reads a date.
func (s *stage) in(days int) time.Time {
	y, m, d := s.clock.Now().In(s.cfg.zone()).Date()
	return time.Date(y, m, d+days+1, 0, 0, 0, 0, s.cfg.zone()).Add(-time.Second)
}

// asks lets somebody ask to help a patient, who is looked for at once.
func (s *stage) asks(username, record, relation string) {
	s.as(username, func(a lifecycle.Actor) (proxy.Case, error) {
		patient, err := s.record.Patient(s.ctx, record)
		if err != nil {
			return proxy.Case{}, err
		}
		sought := proxy.Sought{Name: patient.Name, Born: patient.BirthDate, Number: patient.RecordNumber}
		return proxy.Case{}, s.life.Request(s.ctx, a, lifecycle.Petition{Sought: sought, Relationship: relation, Kind: "HPOWATT"})
	})
	s.try(func() error { return s.life.Seek(s.ctx) })
}
