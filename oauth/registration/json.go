package registration

import (
	"encoding/json"
	"strings"
)

// Repeated reports whether an object has a member twice: two readers could then
// see two different clients.
func Repeated(raw []byte) bool {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if _, err := dec.Token(); err != nil {
		return false
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return false
		}
		// encoding/json matches names without regard to case.
		if name = strings.ToLower(name); seen[name] {
			return true
		}
		seen[name] = true
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return false
		}
	}
	return false
}
