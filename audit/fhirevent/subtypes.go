package fhirevent

import (
	"maps"
	"slices"
)

// subtypes names the codes of SystemSubtype.
func subtypes() map[string]string {
	return map[string]string{
		"audit-alert":               "Alert about the audit log",
		"audit-erase":               "Bodies of events erased",
		"audit-export":              "Audit log exported",
		"audit-hold":                "Legal hold begun",
		"audit-read":                "Audit log read",
		"audit-release":             "Legal hold ended",
		"backup-make":               "Backup made",
		"brand-change":              "Brand bundle changed",
		"client-change":             "App changed",
		"client-register":           "App registered",
		"configuration-load":        "Configuration loaded",
		"consent.filed":             "Consent filed",
		"consent.withdrawn":         "Consent withdrawn",
		"grant-create":              "Connection of an app begun",
		"grant-revoke":              "Connection of an app ended",
		"journal-prune":             "Older part of the revocation journal removed",
		"key-change":                "Key changed",
		"launch-refuse":             "EHR launch refused",
		"launch-end":                "EHR launch context ended",
		"launch-register":           "EHR launch registered",
		"launch-use":                "EHR launch used",
		"oauth-authorize":           "Authorization asked for",
		"oauth-authorize-refuse":    "Authorization refused",
		"oauth-introspect":          "Token introspected",
		"oauth-introspect-inactive": "Token introspected that is not active",
		"oauth-push":                "Authorization request received from the app itself",
		"oauth-refuse":              "Token refused",
		"oauth-replay":              "Code or token used twice",
		"oauth-revoke":              "Token revoked",
		"operator-act":              "Act of an operator",
		"operator-change":           "Roles of an operator changed",
		"person-save":               "Account changed",
		"factor-add":                "Authenticator enrolled",
		"factor-change":             "Authenticator renamed or locked",
		"caller-check":              "Caller on the telephone checked",
		"sharing-answer":            "Asked whether two people use an account, answered",
		"approval-ask":              "A log-in asked another device of the person for approval",
		"code-send":                 "A one-time code was sent by e-mail or SMS",
		"approval-answer":           "A log-in was approved or denied on another device",
		"matter-step":               "Review of a denial or dispute moved",
		"factor-remove":             "Authenticator removed",
		"recovery-step":             "Step on the way back into an account",
		"bedside-step":              "Step of an enrolment before a witness",
		"capacity-switch":           "Turned to act for another person, or for oneself",
		"match-decide":              "Case about a log-in from another provider decided",
		"proxy-step":                "Step towards or away from access for somebody who helps",
		"download":                  "A copy of a record left, as a file or on paper",
		"relatedperson.saved":       "Relation saved",
		"step-up":                   "Further factor asked for",
		"store-restore":             "Store restored from a backup",
		"tenant-change":             "Tenant changed",
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
