package app

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// household is a patient of the demonstration with those who help: its own accounts
// and what happened, told through the use-cases that a page would call.
type household struct {
	// people are its accounts. The first one claims the household: who finds it there
	// leaves the rest alone.
	people []demoPerson
	// play takes the steps.
	play func(*stage)
	// cases are what can be looked at, for the page that lists them.
	cases []demoCase
}

// demoCase is one person's way to a record, as it stands after the start.
type demoCase struct {
	// helper and patient are names.
	helper, patient string
	// state is for a reader; words stand on the page of the first of as.
	state, words string
	// as is who may sign in to look at it: the patient, the helper, staff.
	as []string
}

// helperNamed and patientNamed give accounts of the demonstration.
func helperNamed(username, name string) demoPerson {
	return demoPerson{username, name, identity.RoleProxy, nil, "en"}
}

func patientNamed(username, name, record string) demoPerson {
	return demoPerson{username, name, identity.RolePatient, []identity.Identity{patientOf(record)}, "en"}
}

// family gives the people of all households.
func family() []demoPerson {
	var out []demoPerson
	for _, h := range households() {
		out = append(out, h.people...)
	}
	return out
}

// quickRounds is little, so that the demonstration starts at once: everybody knows
// these passwords. The first log-in replaces the hash by a real one.
const quickRounds = 1000

// quickHash gives a stored form of the password that is cheap to make.
func (p demoPerson) quickHash() ([]byte, error) {
	salt := []byte("demo-" + p.username)
	key, err := pbkdf2.Key(sha256.New, p.password(), salt, quickRounds, sha256.Size)
	if err != nil {
		return nil, err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return []byte("$pbkdf2-sha256$1000$" + b64(salt) + "$" + b64(key)), nil
}

// seedFamily plays what happened in each household, once per store. What the law of the
// configuration does not allow is left out and told; only a store that fails is an error.
func (t *tenant) seedFamily(ctx context.Context) error {
	for _, h := range households() {
		err := t.account(ctx, h.people[0])
		if errs.Is(err, errs.Conflict) {
			continue // it was played before, or another node plays it now
		}
		s := t.stage(ctx)
		s.err = err
		for _, p := range h.people[1:] {
			s.try(func() error { return t.account(ctx, p) })
		}
		h.play(s)
		switch {
		case s.err == nil:
		case errs.Is(s.err, errs.Internal), errs.Is(s.err, errs.Unavailable), ctx.Err() != nil:
			return s.err
		default:
			t.log.WarnContext(ctx, "a household of the demonstration is not complete", "name", h.people[0].name, "why", s.err)
		}
	}
	return nil
}

// account makes the account of a person. Errors: errs.Conflict where it is there.
func (t *tenant) account(ctx context.Context, p demoPerson) error {
	hash, err := p.quickHash()
	if err != nil {
		return err
	}
	_, err = t.identity.CreateAccount(ctx, identity.NewAccount{
		Person: identity.Person{
			Tenant: t.id, ID: "demo-" + p.username, Username: p.username, Name: p.name,
			Role: p.role, Language: p.language, Identities: p.identities,
		},
		PasswordHash: hash, TOTPSecret: p.totpSecret(),
	})
	return err
}
