package fhirevent

import (
	"github.com/mandate-health/mandate/fhir"
)

const jtiPrefix = "urn:ietf:params:oauth:jti:"

// agents lists the app, the person, the patient acted for, this server and,
// for decisions, the organisation.
func (m mapping) agents() []agent {
	client, hasClient := m.client()
	user, hasUser := m.user()
	server := m.serverAgent()
	var out []agent
	if hasClient {
		client.Requestor = !hasUser
		out = append(out, client)
	}
	if hasUser {
		if !hasClient {
			user.Network = m.clientNetwork()
		}
		out = append(out, user)
	}
	if m.e.Capacity.IsProxy() && m.patient() != nil {
		out = append(out, agent{
			Role: []concept{conceptOf(fhir.SystemRoleCode, "DELEGATOR")}, Who: m.patient(),
		})
	}
	if m.shape.pattern == decision && !m.n.Custodian.IsZero() {
		typ := conceptOf(systemRoleClass, "PROV")
		out = append(out, agent{Type: &typ, Who: &reference{Reference: m.n.Custodian.String()}})
	}
	server.Requestor = !hasClient && !hasUser
	return append(out, server)
}

// client is the app, in the role that its pattern gives it: the roles flip
// between read and query (AU-07, AU-08).
func (m mapping) client() (agent, bool) {
	if m.e.ClientID == "" {
		return agent{}, false
	}
	code := "110150"
	if m.shape.pattern == rest {
		switch m.interaction() {
		case "read":
			code = "110152"
		case "delete":
		default:
			code = "110153"
		}
	}
	typ := conceptOf(systemDCM, code)
	return agent{Type: &typ, Who: named("", m.e.ClientID), Network: m.clientNetwork()}, true
}

func (m mapping) serverAgent() agent {
	typ := conceptOf(systemSecurity, "authserver")
	a := agent{Type: &typ, Who: m.server()}
	if m.shape.pattern != rest {
		return a
	}
	switch m.interaction() {
	case "read":
		*a.Type = conceptOf(systemDCM, "110153")
	case "delete":
		*a.Type = conceptOf(systemProvenance, "custodian")
	default:
		*a.Type = conceptOf(systemDCM, "110152")
	}
	a.Network = &network{Address: m.n.serverName(), Type: "1"}
	return a
}

func (m mapping) interaction() string { return m.shape.subtype[0].Code }

func (m mapping) writes() bool {
	switch m.interaction() {
	case "create", "update", "delete":
		return m.shape.pattern == rest
	}
	return false
}

func (m mapping) hasUser() bool {
	return m.e.PersonID != "" || !m.e.Capacity.Acting.IsZero() || m.typedName() != ""
}

// typedName is the keyed hash of a name that belongs to no account (AU-06).
func (m mapping) typedName() string { return m.e.Detail["username_hash"] }

// user is the person who acts, known by account and, once a capacity is
// chosen, by the FHIR resource that stands for it (AU-11, AU-12).
func (m mapping) user() (agent, bool) {
	if !m.hasUser() {
		return agent{}, false
	}
	who := &reference{Reference: m.e.Capacity.Acting.String()}
	switch {
	case m.e.PersonID != "":
		who.Identifier = &identifier{System: m.n.Issuer, Value: m.e.PersonID}
	case m.typedName() != "":
		who.Identifier = &identifier{System: SystemTypedName, Value: m.typedName()}
	}
	part := "IRCP"
	if m.writes() {
		part = "AUT"
	}
	typ := conceptOf(fhir.SystemParticipationType, part)
	return agent{Type: &typ, Role: m.roles(), Who: who, Requestor: true, Policy: m.policies(), PurposeOfUse: m.purpose()}, true
}

// roles says that a proxy acts as a delegate and how it is related to the
// patient.
func (m mapping) roles() []concept {
	if !m.e.Capacity.IsProxy() {
		return nil
	}
	out := []concept{conceptOf(fhir.SystemRoleCode, "DELEGATEE")}
	if rel := m.e.Capacity.Relationship; rel != "" {
		out = append(out, conceptOf(fhir.SystemRoleCode, rel))
	}
	return out
}

// policies names the token and, for FHIR accesses, the consents relied upon.
// The pattern of a delete allows none.
func (m mapping) policies() []string {
	var out []string
	if m.shape.pattern == rest && m.interaction() == "delete" {
		return nil
	}
	if m.e.TokenID != "" {
		out = append(out, jtiPrefix+m.e.TokenID)
	}
	if m.shape.pattern == rest && m.n.FHIRBase != "" {
		for _, c := range m.consents() {
			out = append(out, m.n.FHIRBase+"/"+c)
		}
	}
	return out
}
