package app

import (
	"strings"

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
	// Holidays are days on which the clocks of approvals stand.
	Holidays []string `name:"registration-holiday" key:"holidays" help:"Day such as 2026-12-25 that is no business day for the clocks of approvals; may be repeated." placeholder:"DATE"`
}

func (c *RegistrationConfig) validate(f *config.Faults) {
	if _, wrong := registration.ReadHolidays(c.Holidays); wrong != "" {
		f.Add("registration.holidays", "%q is not a date such as 2026-12-25", wrong)
	}
	if _, wrong := registration.ReadHosts(c.DocumentHosts); wrong != "" {
		f.Add("registration.client_document_hosts", "%q is not a host such as app.example, *.example or *", wrong)
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
