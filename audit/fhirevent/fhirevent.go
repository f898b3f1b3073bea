package fhirevent

import (
	"encoding/json"
	"net/netip"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// Names says how this server is called in its events.
type Names struct {
	// Issuer is the issuer URL: the system of account identifiers.
	Issuer string
	// Site is the host name of the server.
	Site string
	// FHIRBase is the URL before "/Consent/…", without a slash at the end.
	FHIRBase string
	// Custodian is the organisation that answers for the records, such as
	// Organization/lakeside; without one no decision claims AuthZconsent.
	Custodian fhir.Reference
}

// Map gives the event as the JSON of an R4 AuditEvent. Errors: errs.Internal
// with code audit-kind-unmapped for a kind that has no form here, and
// audit-time-missing for an event without its time.
func Map(e audit.Event, n Names) ([]byte, error) {
	s, ok := shapeOf(e)
	if !ok {
		return nil, errs.New(errs.Internal, "audit-kind-unmapped", "The event is of a kind that has no FHIR form.")
	}
	if e.Time.IsZero() {
		return nil, errs.New(errs.Internal, "audit-time-missing", "The event does not say when it happened.")
	}
	m := mapping{e: e, n: n, shape: s}
	m.claims = m.fits()
	r := resource{
		ResourceType: "AuditEvent",
		Type:         s.typ,
		Subtype:      s.subtype,
		Action:       action(e.Action, s),
		Recorded:     e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
		Outcome:      string(e.Outcome),
		OutcomeDesc:  e.Reason,
		Purpose:      m.purpose(),
		Agent:        m.agents(),
		Source:       m.source(),
		Entity:       m.entities(),
	}
	if fhir.ValidID(e.ID) {
		r.ID = e.ID
	}
	r.Meta = &meta{Profile: m.profiles()}
	if m.closed() {
		r.Extension = m.extensions()
	}
	return json.Marshal(r)
}

// action gives the code that the pattern demands; the event's own otherwise.
func action(own string, s shape) string {
	if s.pattern == decision {
		return "E"
	}
	switch s.profile {
	case "Query":
		return "E"
	case "Read":
		return "R"
	case "Create":
		return "C"
	case "Update":
		return "U"
	case "Delete":
		return "D"
	}
	return own
}

// mapping is one event on its way.
type mapping struct {
	e      audit.Event
	n      Names
	shape  shape
	claims bool
}

// fits reports whether the event has all that its profile asks for (AR-10).
func (m mapping) fits() bool {
	if m.shape.profile == "" || m.e.ClientID == "" || m.clientNetwork() == nil || m.n.Site == "" {
		return false
	}
	if m.shape.pattern == decision {
		return m.patient() != nil && m.hasUser() && len(m.consents()) > 0 && m.e.Outcome != "" && !m.n.Custodian.IsZero()
	}
	if m.e.Outcome != audit.Success {
		return false
	}
	if m.shape.profile == "Query" {
		return m.query() != ""
	}
	return m.data() != nil
}

// profileName is the patient's form of a pattern when a patient is known.
func (m mapping) profileName() string {
	if m.shape.pattern == rest && m.patient() != nil {
		return "Patient" + m.shape.profile
	}
	return m.shape.profile
}

// profiles lists what the event claims: BALP's pattern first, where it fits.
func (m mapping) profiles() []string {
	switch {
	case m.claims:
		return []string{profileBALP + m.profileName(), ProfileEvent}
	case m.shape.pattern == decision:
		return []string{ProfileDecision, ProfileEvent}
	}
	return []string{ProfileEvent}
}

// extensions hold what closed entities have no room for.
func (m mapping) extensions() []extension {
	var out []extension
	if m.e.GrantID != "" {
		out = append(out, extension{ExtensionGrant, m.e.GrantID})
	}
	if m.e.RequestID != "" {
		out = append(out, extension{ExtensionRequest, m.e.RequestID})
	}
	return out
}

func (m mapping) purpose() []concept {
	if m.e.Purpose() == "" {
		return nil
	}
	return []concept{conceptOf(fhir.SystemActReason, m.e.Purpose())}
}

func (m mapping) source() source {
	typ := coding{systemSourceType, "6", "Security Server"}
	if m.shape.pattern == rest {
		typ = coding{systemSourceType, "4", "Application Server"}
	}
	return source{Site: m.n.Site, Observer: *m.server(), Type: []coding{typ}}
}

// server names this server, in the observer and in its agent alike (BALP
// val-audit-source).
func (m mapping) server() *reference { return named("", m.n.serverName()) }

func (n Names) serverName() string {
	if n.Site != "" {
		return n.Site
	}
	return "mandate"
}

func (m mapping) clientNetwork() *network {
	if _, err := netip.ParseAddr(m.e.Network); err != nil {
		return nil
	}
	return &network{Address: m.e.Network, Type: "2"}
}
