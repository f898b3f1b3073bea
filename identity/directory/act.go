package directory

import (
	"context"
	"net/mail"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// act runs a change of one account in a transaction of its own.
func (s *Service) act(ctx context.Context, c Caller, id, action string, do func(Tx) (before, after Entry, err error)) (User, error) {
	var out User
	err := s.recorded(ctx, c, "account", id, action, func(tx Tx) error {
		before, after, err := do(tx)
		if err == nil {
			after, err = s.save(ctx, tx, c, action, before, after)
		}
		out = after.user(s.Groups, c.Base)
		return err
	})
	return out, err
}

// retries is how often an act is done anew that another one overtook.
const retries = 3

// recorded runs an act. A refusal undoes it and is in the audit log.
func (s *Service) recorded(ctx context.Context, c Caller, what, id, action string, do func(Tx) error) error {
	refusal := s.Tx.InTx(ctx, do)
	for range retries {
		if e := errs.As(refusal); e == nil || e.Code != "version-changed" {
			break
		}
		refusal = s.Tx.InTx(ctx, do)
	}
	switch errs.KindOf(refusal) {
	case errs.Conflict, errs.Forbidden, errs.Invalid, errs.NotFound, errs.PreconditionFailed:
	default:
		return refusal
	}
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		e := s.event(c, what, id, action)
		e.Outcome, e.Reason = audit.MinorFailure, errs.As(refusal).Code
		return tx.AppendAudit(ctx, e)
	})
	if err != nil {
		return err
	}
	return refusal
}

// event prepares that of an act on an account or a group.
func (s *Service) event(c Caller, what, id, action string) audit.Event {
	e := c.By
	e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = c.Tenant, s.now(), audit.PersonSaved, action, audit.Success
	e.Detail = map[string]string{what: bounded(id), "by": "scim"}
	for k, v := range c.By.Detail {
		e.Detail[k] = v
	}
	return e
}

// bounded keeps an id that a caller made up from filling the log.
func bounded(id string) string {
	const longest = 64
	if len(id) > longest {
		return strings.ToValidUTF8(id[:longest], "")
	}
	return id
}

// save stores an entry, with all that follows from the change. The zero before is
// that of a new account.
func (s *Service) save(ctx context.Context, tx Tx, c Caller, action string, before, after Entry) (Entry, error) {
	if err := s.free(ctx, tx, before, after); err != nil {
		return after, err
	}
	after.Modified, after.Version = s.now(), before.Version+1
	after.Person.Disabled = !after.usable()
	was := !before.Person.Disabled && before.Person.ID != ""
	lost := was && before.Person.Role == identity.RoleAdmin && (after.Person.Disabled || after.Person.Role != identity.RoleAdmin)
	if lost {
		left, err := tx.OtherAdministrator(ctx, c.Tenant, after.Person.ID)
		if err != nil {
			return after, err
		}
		if !left {
			return after, errs.New(errs.Forbidden, "scim-last-administrator", "The last administrator stays one: make another one first.")
		}
	}
	if err := tx.PutPerson(ctx, after.Person); err != nil {
		return after, err
	}
	if err := tx.PutEntry(ctx, after, before.Version); err != nil {
		return after, err
	}
	e := s.event(c, "account", after.Person.ID, action)
	e.Detail["role"], e.Detail["changed"] = string(after.Person.Role), changed(before, after)
	if err := tx.AppendAudit(ctx, e); err != nil {
		return after, err
	}
	return after, s.follow(ctx, tx, c, before, after)
}

// follow does what a change brings with it: an end ends everything, and who may sign
// in for the first time is told how.
func (s *Service) follow(ctx context.Context, tx Tx, c Caller, before, after Entry) error {
	p := after.Person
	reason := ""
	switch {
	case before.Person.ID == "":
	case p.Disabled && !before.Person.Disabled:
		reason = endedByDirectory
	case p.Role != before.Person.Role && !before.Person.Disabled:
		reason = endedByRole
	}
	if reason != "" {
		if err := s.Accounts.CloseTx(ctx, tx, p, reason, c.meta()); err != nil {
			return err
		}
		if err := tx.EndGrants(ctx, p, reason, c.By); err != nil {
			return err
		}
	}
	if !after.Deleted.IsZero() {
		return s.Accounts.UnlinkTx(ctx, tx, p, c.meta())
	}
	if p.Disabled || before.Person.ID != "" && !before.Person.Disabled {
		return nil
	}
	if s.Elsewhere {
		if err := s.Accounts.KeepTx(ctx, tx, p, c.meta()); err != nil {
			return err
		}
	}
	if s.ByMail && after.Mailbox() != "" {
		return s.Accounts.EnrolTx(ctx, tx, p, after.Mailbox(), c.meta())
	}
	return nil
}

// free makes sure that nobody else has a name of the entry.
func (s *Service) free(ctx context.Context, tx Tx, before, after Entry) error {
	p := after.Person
	found := func(id string, err error) (bool, error) {
		if errs.Is(err, errs.NotFound) {
			return false, nil
		}
		return err == nil && id != p.ID, err
	}
	other, err := tx.PersonByUsername(ctx, p.Tenant, identity.FoldUsername(p.Username))
	if is, err := found(other.ID, err); is || err != nil {
		return firstOf(err, taken("scim-username-taken", "The userName is that of another account."))
	}
	for _, k := range after.Keys() {
		other, err := tx.StaffByKey(ctx, p.Tenant, k)
		is, err := found(other.Person.ID, err)
		switch {
		case err != nil:
			return err
		case is && k.Kind == KeyExternal:
			return taken("scim-external-id-taken", "The externalId is that of another account.")
		case is && k.Kind == KeyPractitioner:
			return errPractitioner()
		case is:
			return taken("scim-email-taken", "An e-mail address is that of another account.")
		}
	}
	if practitioner(p) == practitioner(before.Person) {
		return nil
	}
	for _, i := range p.Identities {
		if !isPractitioner(i) {
			continue
		}
		other, err = tx.PersonByIdentity(ctx, p.Tenant, i.Resource)
		if is, err := found(other.ID, err); is || err != nil {
			return firstOf(err, errPractitioner())
		}
	}
	return nil
}

func taken(code, msg string) error { return errs.New(errs.Conflict, code, msg) }

func errPractitioner() error {
	return taken("scim-practitioner-taken", "The practitioner is that of another account.")
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// changed names what a change touched, never its value.
func changed(before, after Entry) string {
	var out []string
	note := func(name string, differs bool) {
		if differs {
			out = append(out, name)
		}
	}
	note("userName", before.Person.Username != after.Person.Username)
	note("name", before.Person.Name != after.Person.Name || before.Name != after.Name || before.DisplayName != after.DisplayName)
	note("externalId", before.ExternalID != after.ExternalID)
	note("emails", !slices.Equal(before.Emails, after.Emails))
	note("active", before.Active != after.Active)
	note("groups", !slices.Equal(before.Groups, after.Groups))
	note("practitioner", practitioner(before.Person) != practitioner(after.Person))
	note("deleted", before.Deleted.IsZero() != after.Deleted.IsZero())
	return strings.Join(out, " ")
}

// mailbox reports whether a text is one bare address.
func mailbox(s string) bool {
	at, err := mail.ParseAddress(s)
	return err == nil && at.Address == s && len(s) <= maxText/2
}

// Matches reports whether If-Match names a version, or asks for none.
func Matches(header, version string) bool {
	if header == "" {
		return true
	}
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == version || `W/`+tag == version {
			return true
		}
	}
	return false
}
