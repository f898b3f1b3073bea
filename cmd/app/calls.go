package app

import (
	"context"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/callers"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web/pages/calls"
	"github.com/mandate-health/mandate/web/pages/matters"
	patientpages "github.com/mandate-health/mandate/web/pages/patient"
	"github.com/mandate-health/mandate/web/pages/together"
)

// togetherPages ask whether two people use an account.
func (t *tenant) togetherPages() *together.Handler {
	return together.New(together.Deps{Accounts: t.identity, Recorder: t.queue, Desk: t.desk()})
}

// matterPages are where staff decide what is due.
func (t *tenant) matterPages(life *lifecycle.Service) *matters.Handler {
	return matters.New(matters.Deps{Life: life, Desk: t.desk()})
}

// callPages are both ends of a telephone call.
func (t *tenant) callPages() *calls.Handler {
	return calls.New(calls.Deps{Callers: t.callers(), Kinds: patientpages.Kinds, Desk: t.desk()})
}

// callers finds out who is on the telephone.
func (t *tenant) callers() *callers.Service {
	return callers.New(callers.Deps{
		Read: t.store, Authority: t.loader, Patients: t.record, Tx: on(t.store, func(tx store.Tx) identity.Tx { return tx }),
		Clock: t.clock, Hasher: t.hasher, IDs: t.ids, Tenant: t.id,
	})
}

// calling verifies that a patient is on the telephone, and gives the id of the event
// that says so.
func (t *tenant) calling(ctx context.Context, a lifecycle.Actor, patient, username, code string) (event string, err error) {
	known, err := t.record.Patient(ctx, patient)
	if err != nil {
		return "", err
	}
	caller, err := t.callers().Verify(ctx, a.Person, callers.Asked{Username: username, Patient: known.Name, Code: code}, a.Origin)
	if err == nil && (!caller.Self || caller.Patient.ID != patient) {
		err = errs.New(errs.Unauthenticated, "caller-unverified", "The caller is not verified.")
	}
	return caller.Event, err
}
