package storetest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// SE-05: an account never holds two of the disjoint roles, whoever assigns them.
func operators(t *testing.T, s *store.Store) {
	ctx := t.Context()
	role := func(person string, r operator.Role) operator.Assignment {
		return operator.Assignment{Tenant: tenant, PersonID: person, Role: r, Assigned: noon(), By: "p-boss"}
	}
	for _, step := range []struct {
		a    operator.Assignment
		want bool
	}{
		{role("p-ada", operator.KeyCustodian), true},
		{role("p-ada", operator.KeyCustodian), false},
		{role("p-ada", operator.Auditor), false},
		{role("p-ada", operator.Operator), true},
		{role("p-bea", operator.Auditor), true},
	} {
		equal(t, got(s.AssignOperator(ctx, step.a))(t), step.want)
	}
	equal(t, got(s.Operators(ctx, tenant))(t), []operator.Assignment{
		role("p-ada", operator.KeyCustodian), role("p-ada", operator.Operator), role("p-bea", operator.Auditor),
	})
	equal(t, len(got(s.Operators(ctx, other))(t)), 0)
	fails(t, s.RevokeOperator(ctx, tenant, "p-ada", operator.Auditor), errs.NotFound)
	fails(t, s.RevokeOperator(ctx, other, "p-ada", operator.KeyCustodian), errs.NotFound)
	must(t, s.RevokeOperator(ctx, tenant, "p-ada", operator.KeyCustodian))
	equal(t, got(s.AssignOperator(ctx, role("p-ada", operator.Auditor)))(t), true)

	osUsers(t, s)

	var won atomic.Int64
	var all sync.WaitGroup
	for _, r := range []operator.Role{operator.DatabaseAdministrator, operator.KeyCustodian, operator.Auditor} {
		all.Go(func() {
			ok, err := s.AssignOperator(ctx, role("p-cyd", r))
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
	}
	all.Wait()
	equal(t, won.Load(), int64(1))
}

// osUsers: a user of the machine is one account of a tenant, and an account one
// user.
func osUsers(t *testing.T, s *store.Store) {
	ctx := t.Context()
	is := func(person, user string) operator.Binding {
		return operator.Binding{Tenant: tenant, PersonID: person, OSUser: user, Bound: noon(), By: "p-boss"}
	}
	equal(t, got(s.BindOSUser(ctx, is("p-ada", "ada")))(t), true)
	equal(t, got(s.BindOSUser(ctx, is("p-ada", "ada2")))(t), true)
	equal(t, got(s.BindOSUser(ctx, is("p-bea", "ada2")))(t), false)
	equal(t, got(s.BindOSUser(ctx, is("p-bea", "bea")))(t), true)
	equal(t, got(s.OSUsers(ctx, tenant))(t), []operator.Binding{is("p-ada", "ada2"), is("p-bea", "bea")})
	equal(t, len(got(s.OSUsers(ctx, other))(t)), 0)
	must(t, s.UnbindOSUser(ctx, tenant, "p-ada"))
	must(t, s.UnbindOSUser(ctx, tenant, "p-ada"))
	equal(t, got(s.OSUsers(ctx, tenant))(t), []operator.Binding{is("p-bea", "bea")})
}
