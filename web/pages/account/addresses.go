package account

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

const addressesPath = pages.AccountPath + "/addresses"

// Addresses is what the page of addresses needs of identity.Service.
type Addresses interface {
	Contacts(ctx context.Context, tenant, personID string) ([]identity.Contact, error)
	AddContact(ctx context.Context, tenant, secret, address string, m identity.Meta) error
	ConfirmContact(ctx context.Context, tenant, secret, code string, m identity.Meta) error
	RemoveContact(ctx context.Context, tenant, secret, id string, m identity.Meta) error
}

func (v visit) addresses() { v.showAddresses(http.StatusOK) }

func (v visit) showAddresses(status int, e ...pages.FieldError) {
	all, err := v.Addresses.Contacts(v.r.Context(), v.id.Person.Tenant, v.id.Person.ID)
	if err != nil {
		v.Page(v.w, v.r, err)
		return
	}
	now := v.Clock.Now()
	page := pages.Addresses{
		Frame: v.frame(pages.AccountPath, e...), Action: v.Session.Path(addressesPath), Current: identity.Current(all, now),
		Typed: v.form().Get("address"),
	}
	if draft := v.Session.Draft(v.w, v.r); draft != nil && v.r.Method == http.MethodGet {
		page.Typed = draft.Get("address")
	}
	for _, c := range all {
		switch {
		case !c.Verified.IsZero():
			page.Checked = append(page.Checked, pages.ContactAddress{ID: c.ID, Address: c.Address, From: c.Usable, Waiting: now.Before(c.Usable), Used: c.Address == page.Current})
		case now.Before(c.Ends):
			page.Unchecked = c.Address
		}
	}
	if v.r.URL.Query().Get("done") != "" && len(e) == 0 {
		page.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeSaved}
	}
	v.draw(status, page)
}

// addressed adds, checks or removes an address, by which fields the form has.
func (v visit) addressed() {
	tenant, secret, meta := v.id.Person.Tenant, session.Secret(v.r), v.Session.Meta(v.r, "")
	form, ctx := v.form(), v.r.Context()
	field := "address"
	var err error
	switch {
	case form.Get("remove") != "":
		err = v.Addresses.RemoveContact(ctx, tenant, secret, form.Get("remove"), meta)
	case form.Has("code"):
		field = "code"
		err = v.Addresses.ConfirmContact(ctx, tenant, secret, form.Get("code"), meta)
	default:
		err = v.Addresses.AddContact(ctx, tenant, secret, form.Get("address"), meta)
	}
	if err == nil || errs.Is(err, errs.NotFound) {
		v.goTo(v.Session.Path(addressesPath) + "?done=1")
		return
	}
	switch code := errs.As(err).Code; {
	case code == "step-up-needed":
		v.Session.Late(v.w, v.r, identity.ActAuthenticators, "address")
	case code == "code-refused":
		v.showAddresses(http.StatusUnauthorized, pages.FieldError{Field: field, Key: pages.ErrCode})
	case errs.Is(err, errs.Invalid):
		v.showAddresses(http.StatusBadRequest, pages.FieldError{Field: field, Key: pages.ErrEmail})
	case errs.Is(err, errs.RateLimited):
		v.showAddresses(http.StatusTooManyRequests, pages.FieldError{Field: field, Key: pages.ErrAddresses})
	default:
		v.Page(v.w, v.r, err)
	}
}
