package fhirevent

import (
	"github.com/mandate-health/mandate/audit"
)

// pattern is the family of form that an event takes.
type pattern int

const (
	// security events concern accounts, tokens and configuration.
	security pattern = iota
	// decision events follow AuthZconsent where a consent decided.
	decision
	// rest events follow the patterns of FHIR interactions.
	rest
)

// shape is the form of one kind of event.
type shape struct {
	pattern pattern
	typ     coding
	subtype []coding
	// profile is the BALP profile that may be claimed, without "Patient".
	profile string
}

var (
	authentication = coding{systemDCM, "110114", "User Authentication"}
	alert          = coding{systemDCM, "110113", "Security Alert"}
	export         = coding{systemDCM, "110106", "Export"}
	logUsed        = coding{systemDCM, "110101", "Audit Log Used"}
	restful        = coding{systemEventType, "rest", "RESTful Operation"}

	login         = coding{systemDCM, "110122", "Login"}
	logout        = coding{systemDCM, "110123", "Logout"}
	userChanged   = coding{systemDCM, "110137", "User Security Attributes Changed"}
	configChanged = coding{systemDCM, "110129", "Security Configuration"}
	software      = coding{systemDCM, "110131", "Software Configuration"}
	getToken      = coding{systemIHEEvent, "ITI-71", "Get Access Token"}
)

func own(code string) coding { return coding{System: SystemSubtype, Code: code} }

func sec(typ coding, subtype ...coding) shape {
	return shape{pattern: security, typ: typ, subtype: subtype}
}

// shapes gives the form of each kind whose form does not depend on the event.
// It is a function because a package keeps no changeable state.
func shapes() map[audit.Kind]shape {
	return map[audit.Kind]shape{
		audit.LoginSucceeded:      sec(authentication, login),
		audit.LoginFailed:         sec(authentication, login),
		audit.StepUpSucceeded:     sec(authentication, login, own("step-up")),
		audit.StepUpFailed:        sec(authentication, login, own("step-up")),
		audit.ApprovalAsked:       sec(authentication, login, own("approval-ask")),
		audit.CodeSent:            sec(authentication, login, own("code-send")),
		audit.ApprovalAnswered:    sec(authentication, login, own("approval-answer")),
		audit.CapacitySwitched:    sec(authentication, login, own("capacity-switch")),
		audit.CallerChecked:       sec(authentication, login, own("caller-check")),
		audit.SharingAnswered:     sec(authentication, login, own("sharing-answer")),
		audit.LoggedOut:           sec(authentication, logout),
		audit.AuthorizeRequested:  sec(authentication, own("oauth-authorize")),
		audit.AuthorizeRefused:    sec(authentication, own("oauth-authorize-refuse")),
		audit.AuthorizePushed:     sec(authentication, own("oauth-push")),
		audit.LaunchRegistered:    sec(authentication, own("launch-register")),
		audit.LaunchUsed:          sec(authentication, own("launch-use")),
		audit.LaunchRefused:       sec(authentication, own("launch-refuse")),
		audit.LaunchEnded:         sec(authentication, own("launch-end")),
		audit.TokenIssued:         sec(authentication, getToken),
		audit.TokenRefused:        sec(authentication, own("oauth-refuse")),
		audit.TokenRevoked:        sec(authentication, own("oauth-revoke")),
		audit.TokenReplayed:       sec(authentication, own("oauth-replay")),
		audit.GrantCreated:        sec(alert, userChanged, own("grant-create")),
		audit.GrantRevoked:        sec(alert, userChanged, own("grant-revoke")),
		audit.PersonSaved:         sec(alert, userChanged, own("person-save")),
		audit.FactorAdded:         sec(alert, userChanged, own("factor-add")),
		audit.FactorChanged:       sec(alert, userChanged, own("factor-change")),
		audit.FactorRemoved:       sec(alert, userChanged, own("factor-remove")),
		audit.MatchDecided:        sec(alert, userChanged, own("match-decide")),
		audit.RecoveryStep:        sec(alert, userChanged, own("recovery-step")),
		audit.BedsideStep:         sec(alert, userChanged, own("bedside-step")),
		audit.MatterStep:          sec(alert, userChanged, own("matter-step")),
		audit.ProxyStep:           sec(alert, userChanged, own("proxy-step")),
		audit.ClientRegistered:    sec(alert, configChanged, own("client-register")),
		audit.ClientChanged:       sec(alert, configChanged, own("client-change")),
		audit.KeyChanged:          sec(alert, configChanged, own("key-change")),
		audit.ConfigurationLoaded: sec(alert, software, own("configuration-load")),
		audit.OperatorChanged:     sec(alert, userChanged, own("operator-change")),
		audit.OperatorActed:       sec(alert, configChanged, own("operator-act")),
		audit.TenantChanged:       sec(alert, configChanged, own("tenant-change")),
		audit.BrandChanged:        sec(alert, configChanged, own("brand-change")),
		audit.BackupMade:          sec(alert, software, own("backup-make")),
		audit.StoreRestored:       sec(alert, software, own("store-restore")),
		audit.JournalPruned:       sec(alert, software, own("journal-prune")),
		audit.AuditRead:           sec(logUsed, own("audit-read")),
		audit.AuditExported:       sec(logUsed, own("audit-export")),
		audit.AuditErased:         sec(logUsed, own("audit-erase")),
		audit.AuditHeld:           sec(logUsed, own("audit-hold")),
		audit.AuditReleased:       sec(logUsed, own("audit-release")),
		audit.AuditAlert:          sec(alert, own("audit-alert")),
		audit.FHIRRead:            interaction("read"),
		audit.FHIRSearch:          interaction("search-type"),
		audit.FHIROperation:       interaction("operation"),
		audit.RecordCopied:        sec(export, own("download")),
	}
}

// shapeOf gives the form of an event; ok is false for a kind that has none.
func shapeOf(e audit.Event) (s shape, ok bool) {
	switch e.Kind {
	case audit.DecisionPermit, audit.DecisionDeny:
		return decided(e), true
	case audit.TokenIntrospected:
		if e.Outcome != audit.Success {
			return sec(authentication, own("oauth-introspect-inactive")), true
		}
		return sec(authentication, own("oauth-introspect")), true
	case audit.FHIRWrite, audit.ConsentFiled, audit.ConsentWithdrawn, audit.RelatedPersonSaved:
		s := interaction(write(e.Action))
		// The pattern of a delete allows one subtype.
		if e.Kind != audit.FHIRWrite && s.profile != "Delete" {
			s.subtype = append(s.subtype, own(string(e.Kind)))
		}
		return s, true
	case audit.FHIRRefused:
		return interaction(attempted(e)), true
	}
	s, ok = shapes()[e.Kind]
	return s, ok
}

// decided tells a decision by consent from one by role alone (AU-01 … AU-03).
// A refusal for want of any consent is neither by the letter of BALP; it keeps
// the shape and claims nothing (AU-02).
func decided(e audit.Event) shape {
	s := shape{pattern: decision, typ: alert, subtype: []coding{{System: systemAuthZ, Code: "AuthZ-Role"}}}
	if len(e.Consents) > 0 || e.Capacity.IsProxy() {
		s.subtype[0].Code = "AuthZ-Consent"
	}
	if len(e.Consents) > 0 {
		s.profile = "AuthZconsent"
	}
	return s
}

func interaction(code string) shape {
	s := shape{pattern: rest, typ: restful, subtype: []coding{{systemInteraction, code, code}}}
	switch code {
	case "read":
		s.profile = "Read"
	case "search-type":
		s.profile = "Query"
	case "create":
		s.profile = "Create"
	case "update":
		s.profile = "Update"
	case "delete":
		s.profile = "Delete"
	}
	return s
}

// write gives the interaction of a change.
func write(action string) string {
	switch action {
	case "C":
		return "create"
	case "D":
		return "delete"
	}
	return "update"
}

// attempted gives the interaction that was refused.
func attempted(e audit.Event) string {
	switch {
	case e.Action == "R":
		return "read"
	case e.Action == "C" || e.Action == "U" || e.Action == "D":
		return write(e.Action)
	case e.Query != "":
		return "search-type"
	}
	return "operation"
}
