package telemetry

import "strings"

// classes lists the keys of the log with the class of their values. A key that
// is not here is withheld; a test walks every call of the log and names those
// that are missing.
var classes = map[Class][]string{
	Open: {
		"at", "attempts", "backup", "begun", "bytes", "candidates", "code", "command", "community", "count", "delay", "detail", "disabled", "duration", "ends", "every", "fhir_base", "file", "from",
		"host", "hint", "in", "job", "key", "keys", "kid", "kind", "lease", "leaves", "level", "marked", "method", "migration", "missing", "n", "name", "now", "off", "page", "path", "place", "port",
		"purpose", "queue", "reason", "remark", "request_id", "route", "rows", "rule", "scopes", "seconds", "seen_pins", "serial", "server", "setting", "since", "size", "stack", "state",
		"status", "table", "tenant", "time", "to", "tries", "turn", "until", "use", "version", "wait", "why",
	},
	Identifier: {"address", "client", "client_id", "grant", "grant_id", "holder", "id", "network", "node", "patient", "person", "person_id", "session", "subject", "user"},
	Fault:      {"cause", "err", "error", "fault"},
}

var classByKey = func() map[string]Class {
	out := map[string]Class{}
	for class, keys := range classes {
		for _, key := range keys {
			out[key] = class
		}
	}
	return out
}()

// ClassOf gives the class of a key of the log.
func ClassOf(key string) Class { return classByKey[strings.ToLower(key)] }
