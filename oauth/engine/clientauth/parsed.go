package clientauth

import (
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// maxParsed bounds how many registered key sets are kept parsed.
const maxParsed = 2000

// parsedSets keeps registered key sets parsed, by their text: a client with
// other keys has another text, so nothing needs to be forgotten. The zero
// value is ready.
type parsedSets struct {
	mu     sync.RWMutex
	byText map[string][]jose.JSONWebKey
}

// of gives the keys of a set. They are shared: nobody may change them.
func (p *parsedSets) of(raw []byte) []jose.JSONWebKey {
	p.mu.RLock()
	set, known := p.byText[string(raw)]
	p.mu.RUnlock()
	if known {
		return set
	}
	set = parseSet(raw)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byText == nil || len(p.byText) >= maxParsed {
		p.byText = map[string][]jose.JSONWebKey{}
	}
	p.byText[string(raw)] = set
	return set
}
