package app

import (
	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/identity"
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
	return calls.New(calls.Deps{
		Callers: callers.New(callers.Deps{
			Read: t.store, Authority: t.loader, Patients: t.record, Tx: on(t.store, func(tx store.Tx) identity.Tx { return tx }),
			Clock: t.clock, Hasher: t.hasher, Tenant: t.id,
		}),
		Kinds: patientpages.Kinds, Desk: t.desk(),
	})
}
