package kit

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Need is what a row asks of its target beyond a FHIR base URL.
type Need uint

// The means of a target. A row that needs one which the target lacks is
// reported as not tested.
const (
	// Login: people with passwords and an app with a redirect URI.
	Login Need = 1 << iota
	// Backend: a client of kind backend with its private key.
	Backend
	// Asymmetric: an app that authenticates with a private key.
	Asymmetric
	// Symmetric: an app that authenticates with a secret.
	Symmetric
	// Launcher: an EHR client that may register launch contexts.
	Launcher
	// Proxies: the people of the palliative-care story (Rosa, Elena, Victor).
	Proxies
	// Upstream: the FHIR server behind, reachable for comparison.
	Upstream
	// Clock: a route that moves the server's time.
	Clock
	// Admin: the administration API of a development server.
	Admin
	// Keys: a backend client whose keys the checks publish themselves.
	Keys
	// Second: a second backend client.
	Second
	// Tenants: another FHIR base of the same process.
	Tenants
	// Reserved: a client whose id and secret hold reserved characters.
	Reserved
	// Narrow: a backend client registered for system/Patient.rs alone.
	Narrow
	// Pushing: an endpoint for pushed authorization requests.
	Pushing
	// Pushes: a client that must push its requests.
	Pushes
	// Signing: signed request objects.
	Signing
	// StepsUp: an app some of whose requests need a recent log-in.
	StepsUp
	// Agent: a client that may act with the tokens of an app.
	Agent
	// Device: a client that is a device without keyboard.
	Device
	// SignedAnswers: signed introspection answers.
	SignedAnswers
	// DPoP: the server says that it takes DPoP proofs.
	DPoP
	// Bound: an app that must send a DPoP proof.
	Bound
	// Nonced: a backend client whose proofs need a nonce of the server.
	Nonced
	// Details: an app whose token answers carry authorization_details.
	Details
	// UDAP: the key of an authority of a trust community.
	UDAP
	// Grouped: a backend client that is bound to the members of a Group.
	Grouped
	// Certificates: clients with TLS client certificates, and a listener that
	// asks for them.
	Certificates
	// Profiled: an app that is held to the FAPI 2.0 security profile.
	Profiled
	// Outbox: a page of the messages to people.
	Outbox
	// Documents: an address at which checks may publish documents that describe
	// clients.
	Documents
	// Deciding: a client that may ask for decisions, and the address where.
	Deciding
	// Disclosing: a client that introspection tells what Consents withhold.
	Disclosing
)

var needTexts = []string{
	"a log-in", "a backend client", "an asymmetric client", "a client with a secret",
	"a client that may register launches", "people who act for others", "the FHIR server behind", "a clock that can be moved",
	"the administration API", "a backend client whose keys lie at an address of this machine (key_host)", "a second backend client",
	"another FHIR base of the same server (tenants)", "a client whose id and secret have reserved characters",
	"a backend client registered for system/Patient.rs alone", "an endpoint for pushed authorization requests",
	"a client with keys that must push its authorization requests", "signed request objects",
	"an app whose looks at the Patient need a recent log-in (step_up)",
	"a client that may act with the tokens of an app (token_exchange, may_act)",
	"a client that is a device without keyboard (device_authorization)", "signed introspection answers",
	"DPoP in the discovery document",
	"an app registered with dpop_bound_access_tokens", "a backend client registered with dpop_nonce_required",
	"an app registered with authorization_details_types",
	"the key of an authority whose certificates the server trusts (udap_ca)",
	"a backend client registered with patient_group",
	"clients with TLS client certificates (tls_certificate) and mtls_endpoint_aliases in the discovery document",
	"an app registered with the security_profile fapi2",
	"a list of the messages to people (outbox)",
	"an address of this machine whose documents may describe clients (document_host)",
	"a client with a secret that may ask for decisions (evaluate_access)",
	"a client with a secret that introspection tells what Consents withhold (introspect_consents)",
}

// String names the means in words.
func (n Need) String() string {
	var out []string
	for i, text := range needTexts {
		if n&(1<<i) != 0 {
			out = append(out, text)
		}
	}
	return strings.Join(out, ", ")
}

// Row is one check.
type Row struct {
	// ID cites the requirement, such as "SMART AZ-07".
	ID string
	// Title says in one line what must hold.
	Title string
	// Also names further rows of the catalogue that the check proves, such as
	// "CAP-12"; the row of its own id needs no mention.
	Also  []string
	Needs Need
	// Run gives nil when the target keeps the requirement, and otherwise what
	// it did instead. The error names no token and no secret.
	Run func(ctx context.Context, t *Target) error
}

// prefix marks the checks that cite the catalogue; others cite requirements of
// Mandate's own.
const prefix = "SMART "

// Proves gives the ids of the catalogue's rows that the check proves: that of
// its own id, where a small letter at the end tells several checks of one row
// apart, and those of Also.
func (r Row) Proves() []string {
	out := r.Also
	if own, ok := strings.CutPrefix(r.ID, prefix); ok {
		out = append([]string{strings.TrimRight(own, "abcdefghijklmnopqrstuvwxyz")}, out...)
	}
	return out
}

// Unmet is the error of a check that found that it cannot be made here, because
// the server lacks what it would look at. Such a check is not tested.
type Unmet struct{ Why string }

// Error says what is missing.
func (u Unmet) Error() string { return u.Why }

// Section is a group of rows.
type Section struct {
	Name string
	Rows []Row
}

// Check collects what did not hold, so that one row tells all at once.
type Check struct{ faults []error }

// That notes a fault when ok is false and gives ok back.
func (c *Check) That(ok bool, format string, args ...any) bool {
	if !ok {
		c.faults = append(c.faults, fmt.Errorf(format, args...))
	}
	return ok
}

// Note adds an error, if it is one.
func (c *Check) Note(err error) bool {
	if err != nil {
		c.faults = append(c.faults, err)
	}
	return err == nil
}

// Err gives all faults, nil when there are none.
func (c *Check) Err() error { return errors.Join(c.faults...) }
