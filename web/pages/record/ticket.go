package record

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/web/session"
)

// ticketLife is how long a ticket waits to be used.
const ticketLife = time.Minute

// issuer names the tickets among what may be used once.
const issuer = "urn:mandate:copy-ticket"

// Once remembers what may be used once, on all nodes.
type Once interface {
	// UseAssertion notes a first use. Errors: errs.Conflict for a second one.
	UseAssertion(ctx context.Context, tenant, issuer, jti string, expires time.Time) error
}

// ticket is what was asked for. It opens nothing by itself: what may be copied is
// decided when it is used, so that an access that has ended kills it.
type ticket struct {
	ID string `json:"id"`
	// Case is the case of a person who helps, empty for the own record.
	Case   string    `json:"case,omitempty"`
	Kind   string    `json:"kind"`
	Format string    `json:"format"`
	Ends   time.Time `json:"ends"`
}

// The formats.
const (
	formatPDF   = "pdf"
	formatPrint = "print"
)

// key and bound tie a ticket to the session in which it was asked for.
func (h *Handler) key(id session.Identity) []byte {
	return h.Hasher.Sum("copy-ticket", id.Session.Hash)[:32]
}

func bound(id session.Identity) []byte { return []byte(id.Person.Tenant + "|" + id.Person.ID) }

// seal makes the secret of a ticket.
func (h *Handler) seal(id session.Identity, t ticket) (string, error) {
	t.ID, t.Ends = h.IDs.ID(), h.Clock.Now().Add(ticketLife)
	plain, err := json.Marshal(t)
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "copy-ticket", "The ticket cannot be made.")
	}
	boxed, err := keys.Box(h.key(id), plain, bound(id))
	return base64.RawURLEncoding.EncodeToString(boxed), err
}

// take opens a ticket and uses it up. Errors: errs.Unauthenticated for one of
// another session or of nobody's; errs.Gone for one that is used or over.
func (h *Handler) take(r *http.Request, secret string) (ticket, session.Identity, error) {
	var t ticket
	other := errs.New(errs.Unauthenticated, "copy-ticket-elsewhere", "This copy was asked for in another browser.")
	id, ok := session.From(r)
	if !ok {
		return t, id, other
	}
	boxed, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		return t, id, other
	}
	plain, err := keys.Unbox(h.key(id), boxed, bound(id))
	if err != nil || json.Unmarshal(plain, &t) != nil {
		return t, id, other
	}
	over := errs.New(errs.Gone, "copy-ticket-used", "This copy was fetched already, or waited too long. Ask for it again.")
	if h.Clock.Now().After(t.Ends) {
		return t, id, over
	}
	err = h.Once.UseAssertion(r.Context(), id.Person.Tenant, issuer, t.ID, t.Ends.Add(ticketLife))
	if errs.Is(err, errs.Conflict) {
		err = over
	}
	return t, id, err
}
