package export

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
)

// structuredID names our structured data. 32473 is the enterprise number of
// examples (RFC 5612): Mandate has none of its own.
const structuredID = "mandate@32473"

// facility 13 is "log audit" (RFC 5424 §6.2.1).
const facility = 13

// Message gives the event as an RFC 5424 message: what a SIEM searches for as
// structured data, the whole as FHIR AuditEvent behind it. Events hold
// identifiers only (AR-05).
func Message(e audit.Event, n fhirevent.Names) []byte {
	var b strings.Builder
	b.WriteString("<" + strconv.Itoa(facility*8+severity(e.Outcome)) + ">1 ")
	b.WriteString(e.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00") + " ")
	b.WriteString(header(n.Site, 255) + " mandate " + strconv.Itoa(os.Getpid()) + " " + header(string(e.Kind), 32) + " ")
	b.WriteString("[" + structuredID)
	for _, p := range []struct{ name, value string }{
		{"id", e.ID}, {"tenant", e.Tenant}, {"outcome", string(e.Outcome)}, {"reason", e.Reason}, {"user", userName(e, n)},
		{"client", e.ClientID}, {"patient", e.Patient}, {"resource", e.Resource.String()}, {"grant", e.GrantID},
		{"network", e.Network}, {"request", e.RequestID},
	} {
		if p.value != "" {
			b.WriteString(" " + p.name + `="` + escaped(p.value) + `"`)
		}
	}
	b.WriteString("]")
	if raw, err := fhirevent.Map(e, n); err == nil {
		// The mark says that the text is UTF-8 (RFC 5424 §6.4).
		b.WriteString(" \ufeff")
		b.Write(raw)
	}
	return []byte(b.String())
}

func severity(o audit.Outcome) int {
	switch o {
	case audit.SeriousFailure:
		return 3
	case audit.MinorFailure:
		return 4
	}
	return 5
}

// userName is the ATNA form of an account: alias<user@issuer> (IU-20).
func userName(e audit.Event, n fhirevent.Names) string {
	if e.PersonID == "" {
		return ""
	}
	return e.Capacity.Acting.String() + "<" + e.PersonID + "@" + n.Issuer + ">"
}

// header gives a header field: printable ASCII without spaces, "-" for none.
func header(text string, most int) string {
	out := strings.Map(func(r rune) rune {
		if r < 33 || r > 126 {
			return '_'
		}
		return r
	}, text)
	if out == "" {
		return "-"
	}
	return out[:min(len(out), most)]
}

// escaped protects the three characters that a parameter value may not hold.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`, "\n", " ", "\r", " ").Replace(text)
}

// frame puts the length in front (RFC 5425 §4.3).
func frame(message []byte) []byte {
	return append([]byte(strconv.Itoa(len(message))+" "), message...)
}

// settle is how long a connection must stay well after a message was written
// before the message counts as taken. Syslog has no answer; until then it is
// sent again when the connection breaks, so that none is lost and some come
// twice. Their id tells.
const settle = 5 * time.Second
