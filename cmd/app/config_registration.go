package app

import (
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/oauth/registration"
)

// RegistrationConfig says who may register a client by dynamic registration, and
// how approvals run. A tenant may have a mode of its own.
type RegistrationConfig struct {
	Mode string `name:"registration" key:"mode" default:"off" enum:"off,token,approval" help:"Dynamic registration of clients: off, token (with an initial access token of mandate client invite) or approval (anybody may ask, an operator approves each)."`
	// AutoPatient spares apps for single patients the queue.
	AutoPatient bool `name:"registration-auto-patient-apps" key:"auto_approve_patient_apps" help:"Approve at once apps that register dynamically and reach one patient at a time, by that person's choice."`
	// DocumentHosts are the hosts whose documents describe clients; none: a
	// client_id that is an address is nobody's.
	DocumentHosts []string `name:"client-document-host" key:"client_document_hosts" help:"Host such as app.example, *.example, or * for any, whose documents describe apps: their client_id is the https address of a document (client-ID metadata documents); may be repeated. Without it there are no such apps." placeholder:"HOST"`
	// IdleAfter is how long a client may be unused before it is marked, IdleGrace
	// how long it then has before it is disabled; zero IdleAfter marks none.
	IdleAfter time.Duration `name:"idle-clients-after" key:"idle_after" help:"Time without use after which a client without live grants is marked as idle, and disabled after idle_grace; at least 168h (default: never)." placeholder:"TIME"`
	IdleGrace time.Duration `name:"idle-clients-grace" key:"idle_grace" default:"720h" help:"Time for which an idle client is marked before it is disabled; at least 24h (default ${default})." placeholder:"TIME"`
	// Holidays are days on which the clocks of approvals stand.
	Holidays []string `name:"registration-holiday" key:"holidays" help:"Day such as 2026-12-25 that is no business day for the clocks of approvals; may be repeated." placeholder:"DATE"`
}

// Bounds of IdleAfter and IdleGrace: uses are noted once a day.
const (
	minIdle      = 7 * 24 * time.Hour
	minIdleGrace = 24 * time.Hour
)

func (c *RegistrationConfig) validate(f *config.Faults) {
	if _, wrong := registration.ReadHolidays(c.Holidays); wrong != "" {
		f.Add("registration.holidays", "%q is not a date such as 2026-12-25", wrong)
	}
	if _, wrong := registration.ReadHosts(c.DocumentHosts); wrong != "" {
		f.Add("registration.client_document_hosts", "%q is not a host such as app.example, *.example or *", wrong)
	}
	if c.IdleAfter != 0 && c.IdleAfter < minIdle {
		f.Add("registration.idle_after", "%s is less than %s, and not 0 for never", c.IdleAfter, minIdle)
	}
	if c.IdleAfter != 0 && c.IdleGrace < minIdleGrace {
		f.Add("registration.idle_grace", "%s is less than %s", c.IdleGrace, minIdleGrace)
	}
	if !isMode(c.Mode) && c.Mode != "" {
		f.Add("registration.mode", "%q is not off, token or approval", c.Mode)
	}
}

func isMode(mode string) bool {
	switch registration.Mode(mode) {
	case registration.Off, registration.ByToken, registration.ByApproval:
		return true
	}
	return false
}

// registrationPolicy gives what is decided for a tenant: its own mode, or that
// of the server.
func (t *tenant) registrationPolicy() registration.Policy {
	mode := registration.Mode(t.row.Registration)
	if mode == "" {
		mode = registration.Mode(t.cfg.Registration.Mode)
	}
	// Validate has read the dates before.
	holidays, _ := registration.ReadHolidays(t.cfg.Registration.Holidays)
	return registration.Policy{
		Mode: mode, AutoPatient: t.cfg.Registration.AutoPatient, Holidays: holidays, Development: t.cfg.Dev,
		Offer: registration.Offer{Certificates: t.cfg.MTLS.methods(), Off: t.cfg.grants()},
	}
}

// noDocuments is what the row of a tenant says that takes no documents, although
// the server does.
const noDocuments = "off"

// documentHosts gives the hosts whose documents describe clients of the tenant:
// its own, or those of the server.
func (t *tenant) documentHosts() registration.Hosts {
	list := t.cfg.Registration.DocumentHosts
	if t.row.ClientDocuments != "" {
		list = strings.Fields(t.row.ClientDocuments)
	}
	if t.row.ClientDocuments == noDocuments {
		return nil
	}
	// What wrote the list has read it before.
	hosts, _ := registration.ReadHosts(list)
	return hosts
}
