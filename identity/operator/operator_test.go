package operator_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
)

// office is a store in memory: accounts by username, and an error for every
// call while it is down.
type office struct {
	people map[string]identity.Person
	held   []operator.Assignment
	bound  []operator.Binding
	log    []audit.Event
	down   error
}

func (o *office) Operators(context.Context, string) ([]operator.Assignment, error) {
	return o.held, o.down
}

func (o *office) AssignOperator(_ context.Context, a operator.Assignment) (bool, error) {
	if slices.ContainsFunc(o.held, func(h operator.Assignment) bool {
		return h.PersonID == a.PersonID && h.Role.Slot() == a.Role.Slot()
	}) {
		return false, o.down
	}
	o.held = append(o.held, a)
	return true, o.down
}

func (o *office) RevokeOperator(_ context.Context, _, person string, r operator.Role) error {
	before := len(o.held)
	o.held = slices.DeleteFunc(o.held, func(h operator.Assignment) bool { return h.PersonID == person && h.Role == r })
	if len(o.held) == before {
		return errs.New(errs.NotFound, "operator-role-not-found", "none")
	}
	return nil
}

func (o *office) OSUsers(context.Context, string) ([]operator.Binding, error) { return o.bound, o.down }

func (o *office) BindOSUser(_ context.Context, b operator.Binding) (bool, error) {
	o.bound = append(o.bound, b)
	return true, o.down
}

func (o *office) UnbindOSUser(_ context.Context, _, person string) error {
	o.bound = slices.DeleteFunc(o.bound, func(b operator.Binding) bool { return b.PersonID == person })
	return o.down
}

func (o *office) PersonByUsername(_ context.Context, _, name string) (identity.Person, error) {
	p, ok := o.people[name]
	if !ok {
		return p, errs.New(errs.NotFound, "person-not-found", "none")
	}
	return p, nil
}

func (o *office) PersonByID(ctx context.Context, tenant, id string) (identity.Person, error) {
	return o.PersonByUsername(ctx, tenant, id[len("p-"):])
}

func (o *office) AppendAudit(_ context.Context, e audit.Event) error {
	o.log = append(o.log, e)
	return o.down
}

// open gives an office with administrators, a patient and a disabled account.
func open(held ...operator.Assignment) (*office, *operator.Service) {
	o := &office{people: map[string]identity.Person{}, held: held}
	for _, name := range []string{"ada", "bea", "cyd"} {
		o.people[name] = identity.Person{ID: "p-" + name, Username: name, Role: identity.RoleAdmin}
	}
	o.people["dot"] = identity.Person{ID: "p-dot", Username: "dot", Role: identity.RolePatient}
	o.people["eve"] = identity.Person{ID: "p-eve", Username: "eve", Role: identity.RoleAdmin, Disabled: true}
	run := func(_ context.Context, fn func(operator.Tx) error) error { return fn(o) }
	return o, &operator.Service{Tx: txn.Func[operator.Tx](run), Clock: clock.System{}}
}

func holds(who string, r operator.Role) operator.Assignment {
	return operator.Assignment{Tenant: "default", PersonID: "p-" + who, Role: r, Assigned: time.Unix(1, 0)}
}

// SE-05: every pair of the three is refused and recorded; operator goes with any.
func TestToxicPairs(t *testing.T) {
	for _, first := range operator.Roles() {
		for _, second := range operator.Roles() {
			o, s := open(holds("ada", first))
			err := s.Assign(t.Context(), operator.Change{Tenant: "default", Username: "ada", Role: second, As: "bea"})
			if first == operator.Operator { // then bea would have to be one
				continue
			}
			toxic := first != second && second != operator.Operator
			last := o.log[len(o.log)-1]
			if toxic != (errs.Is(err, errs.Conflict) && errs.As(err).Code == "operator-roles-disjoint") || !toxic && err != nil {
				t.Errorf("%s, then %s: %v", first, second, err)
			}
			if last.Kind != audit.OperatorChanged || (last.Outcome == audit.Success) == toxic || last.PersonID != "p-bea" || last.Detail["person"] != "p-ada" || last.Detail["role"] != string(second) {
				t.Errorf("%s, then %s: recorded %+v", first, second, last)
			}
		}
	}
}

func TestWhoMayAssign(t *testing.T) {
	for name, c := range map[string]struct {
		held []operator.Assignment
		as   string
		code string
	}{
		"the first one":       {nil, "", ""},
		"nobody to ask yet":   {[]operator.Assignment{holds("bea", operator.Auditor)}, "", ""},
		"an operator":         {[]operator.Assignment{holds("bea", operator.Operator)}, "bea", ""},
		"nobody named":        {[]operator.Assignment{holds("bea", operator.Operator)}, "", "operator-missing"},
		"nobody of that name": {[]operator.Assignment{holds("bea", operator.Operator)}, "zed", "operator-missing"},
		"an auditor":          {[]operator.Assignment{holds("bea", operator.Operator), holds("ada", operator.Auditor)}, "ada", "operator-role-missing"},
		"disabled":            {[]operator.Assignment{holds("eve", operator.Operator)}, "eve", "operator-role-missing"},
		"oneself":             {[]operator.Assignment{holds("cyd", operator.Operator)}, "cyd", "operator-self"},
		"oneself, first":      {nil, "cyd", "operator-self"},
	} {
		o, s := open(c.held...)
		err := s.Assign(t.Context(), operator.Change{Tenant: "default", Username: "cyd", Role: operator.KeyCustodian, As: c.as})
		if code := codeOf(err); code != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if len(o.log) != 1 || o.log[0].Reason != c.code {
			t.Errorf("%s: recorded %+v", name, o.log)
		}
	}
	for who, code := range map[string]string{"dot": "operator-account", "eve": "operator-account", "zed": "person-not-found"} {
		_, s := open()
		if err := s.Assign(t.Context(), operator.Change{Tenant: "default", Username: who, Role: operator.Auditor}); codeOf(err) != code {
			t.Errorf("%s: %v", who, err)
		}
	}
	_, s := open()
	if err := s.Assign(t.Context(), operator.Change{Tenant: "default", Username: "ada", Role: "root"}); codeOf(err) != "operator-role" {
		t.Error(err)
	}
	if err := s.Revoke(t.Context(), operator.Change{Tenant: "default", Username: "ada", Role: operator.Auditor}); codeOf(err) != "operator-role-not-found" {
		t.Error(err)
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Code
}

// SE-05: an act is recorded under its name, done or refused.
func TestWhoActs(t *testing.T) {
	need := operator.Need{Tenant: "default", Role: operator.KeyCustodian, Act: "keys rotate"}
	for name, c := range map[string]struct {
		held    []operator.Assignment
		as      string
		id      string
		code    string
		outcome audit.Outcome
	}{
		"before there are operators":          {nil, "", "", "", audit.Success},
		"named before there are operators":    {nil, "ada", "p-ada", "", audit.Success},
		"the custodian":                       {[]operator.Assignment{holds("ada", operator.KeyCustodian)}, "ada", "p-ada", "", audit.Success},
		"nobody named":                        {[]operator.Assignment{holds("bea", operator.Auditor)}, "", "", "operator-missing", audit.MinorFailure},
		"the auditor":                         {[]operator.Assignment{holds("bea", operator.Auditor)}, "bea", "p-bea", "operator-role-missing", audit.MinorFailure},
		"the operator":                        {[]operator.Assignment{holds("bea", operator.Operator)}, "bea", "p-bea", "operator-role-missing", audit.MinorFailure},
		"a custodian whose account is closed": {[]operator.Assignment{holds("eve", operator.KeyCustodian)}, "eve", "p-eve", "operator-role-missing", audit.MinorFailure},
	} {
		o, s := open(c.held...)
		n := need
		n.As = c.as
		id, err := s.Require(t.Context(), n)
		if codeOf(err) != c.code || err == nil && id != c.id {
			t.Errorf("%s: %q %v", name, id, err)
		}
		e := o.log[0]
		if e.Kind != audit.OperatorActed || e.PersonID != c.id || e.Outcome != c.outcome || e.Reason != c.code || e.Detail["act"] != "keys rotate" || e.Detail["role"] != "key-custodian" {
			t.Errorf("%s: recorded %+v", name, e)
		}
	}
	o, s := open()
	o.down = errs.Wrap(errors.New("gone"), errs.Unavailable, "store", "down")
	if _, err := s.Require(t.Context(), need); !errs.Is(err, errs.Unavailable) {
		t.Errorf("with the store down: %v", err)
	}
}

func TestListNamesAccounts(t *testing.T) {
	_, s := open(holds("ada", operator.Auditor), holds("gone", operator.Operator))
	all, err := s.List(t.Context(), "default")
	if err != nil || len(all) != 2 || all[0].Username != "ada" || all[1].Username != "" {
		t.Errorf("%+v %v", all, err)
	}
}

// SE-05: where the operating system says who runs a command, an account acts only
// by its own user, and that user only as its account.
func TestTheMachineSaysWhoActs(t *testing.T) {
	need := operator.Need{Tenant: "default", Role: operator.KeyCustodian, Act: "keys rotate"}
	bound := []operator.Binding{{Tenant: "default", PersonID: "p-ada", OSUser: "ada-os"}, {Tenant: "default", PersonID: "p-bea", OSUser: "bea-os"}}
	for name, c := range map[string]struct {
		bound           []operator.Binding
		peer, as        string
		id, code, proof string
	}{
		"by name":                              {bound, "ada-os", "ada", "p-ada", "", "os-user"},
		"without a name":                       {bound, "ada-os", "", "p-ada", "", "os-user"},
		"as another":                           {bound, "bea-os", "ada", "p-ada", "operator-os-user", "named"},
		"as itself without the role":           {bound, "bea-os", "bea", "p-bea", "operator-role-missing", "os-user"},
		"as one who is bound to nobody":        {bound, "ada-os", "cyd", "p-cyd", "operator-os-user", "named"},
		"a user who is nobody, as an operator": {bound, "root", "ada", "p-ada", "operator-os-user", "named"},
		"a user who is nobody, unnamed":        {bound, "root", "", "", "operator-missing", "named"},
		"nobody is bound":                      {nil, "root", "ada", "p-ada", "", "named"},
		"the machine does not say":             {bound, "", "ada", "p-ada", "", "named"},
	} {
		o, s := open(holds("ada", operator.KeyCustodian))
		o.bound = c.bound
		n := need
		n.As, n.Peer = c.as, c.peer
		id, err := s.Require(t.Context(), n)
		if codeOf(err) != c.code || err == nil && id != c.id {
			t.Errorf("%s: %q %v", name, id, err)
		}
		e := o.log[0]
		if e.PersonID != c.id || e.Detail["proof"] != c.proof || e.Detail["peer"] != c.peer || e.Reason != c.code {
			t.Errorf("%s: recorded %+v", name, e)
		}
	}
}

func TestOneUserIsOneAccount(t *testing.T) {
	o, s := open(holds("bea", operator.Operator))
	assign := func(who, user string) error {
		return s.Assign(t.Context(), operator.Change{Tenant: "default", Username: who, Role: operator.Auditor, As: "bea", OSUser: user})
	}
	if err := assign("ada", "ada-os"); err != nil || len(o.bound) != 1 || o.bound[0].By != "p-bea" {
		t.Fatal(err, o.bound)
	}
	if err := assign("cyd", "ada-os"); codeOf(err) != "operator-os-user-taken" {
		t.Error(err)
	}
	// From now on the machine must say that it is bea who assigns.
	revoke := operator.Change{Tenant: "default", Username: "ada", Role: operator.Auditor, As: "bea", Peer: "ada-os"}
	if err := s.Revoke(t.Context(), revoke); codeOf(err) != "operator-os-user" {
		t.Error(err)
	}
	revoke.Peer = ""
	if err := s.Revoke(t.Context(), revoke); err != nil || len(o.bound) != 0 {
		t.Error(err, o.bound)
	}
}
