package messages

import (
	"context"
	"strings"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// listed is how many notices are given as Communications, the newest.
const listed = 1000

// Communications gives what an account was told as the portal tells it, in a language,
// the newest first (RS-10). Errors: errs.Unavailable.
func (h *Handler) Communications(ctx context.Context, lang string, p identity.Person) ([]evidence.Record, error) {
	notices, err := h.Inbox.NoticesOf(ctx, p.Tenant, p.ID, listed)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	out := make([]evidence.Record, len(notices))
	for i, n := range notices {
		if out[i], err = h.communication(ctx, lang, p, n, names); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Communication gives one of them. Errors: errs.NotFound for what is absent and for
// what somebody else was told, alike.
func (h *Handler) Communication(ctx context.Context, lang string, p identity.Person, id string) (evidence.Record, error) {
	n, err := h.Inbox.NoticeByID(ctx, p.Tenant, id)
	if errs.Is(err, errs.NotFound) || err == nil && (n.PersonID == "" || n.PersonID != p.ID) {
		err = errs.New(errs.NotFound, "record-not-found", "There is no such record.")
	}
	if err != nil {
		return evidence.Record{}, err
	}
	return h.communication(ctx, lang, p, n, map[string]string{})
}

func (h *Handler) communication(ctx context.Context, lang string, p identity.Person, n outbox.Notice, names map[string]string) (evidence.Record, error) {
	line, c, err := h.line(ctx, lang, p, n, names)
	if err != nil {
		return evidence.Record{}, err
	}
	out := evidence.Notice{
		ID: n.ID, Kind: kindOf(line.Key), To: evidence.Party{Account: p.ID, Resource: self(p)},
		Text: h.Kit.News(lang, line), Language: lang, Created: n.Created, Sent: n.Delivered, Seen: n.Seen,
		Over: n.Channel == outbox.Late || n.Delivered.IsZero() && n.Over(h.Clock.Now()),
	}
	switch relation := (fhir.Reference{Type: "RelatedPerson", ID: c.RelationID}); {
	case c.ID == "":
	case c.PersonID != p.ID:
		out.Subject = c.Patient
		if c.RelationID != "" {
			out.About = relation
		}
	case c.Proofed():
		// Whose record it is, is told to who was proofed.
		out.Subject, out.To.Resource = c.Patient, fhir.Reference{}
		if c.RelationID != "" {
			out.To.Resource = relation
		}
	default:
		out.To.Resource = fhir.Reference{}
	}
	return out.Communication()
}

// self gives what an account is by itself: a patient or a member of staff.
func self(p identity.Person) fhir.Reference {
	for _, i := range p.Identities {
		if i.Verified && (i.Resource.Type == "Patient" || i.Resource.Type == "Practitioner") {
			return i.Resource
		}
	}
	return fhir.Reference{}
}

// kindOf sorts what was told by what the portal says of it, so that nothing is told
// by the sort that the words do not.
func kindOf(key string) string {
	for _, side := range []string{"self.", "helper.", "account."} {
		key = strings.TrimPrefix(key, side)
	}
	switch key {
	case "proxy.granted", "proxy.registered", "proxy.requested", "proxy.accepted", "proxy.proofed", "proxy.welcomed", "proxy.teen",
		"proxy.teen-account", "app-connected-by-proxy":
		return "grant"
	case "proxy.first-use", "proxy.day", "proxy.saved":
		return "access"
	case "proxy.changed":
		return "change"
	case "proxy.renewal", "proxy.ending", "apps-kept":
		return "renewal"
	case "proxy.ended", "proxy.resigned":
		return "revocation"
	case "proxy.compromised", identity.NoticeSignIn, identity.NoticeFactor:
		return "breach"
	}
	return "other"
}
