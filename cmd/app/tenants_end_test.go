package app_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
)

// hangUp ends a command once it has said something.
type hangUp struct {
	lockedBuffer
	says string
	end  func()
}

func (h *hangUp) Write(p []byte) (int, error) {
	n, err := h.lockedBuffer.Write(p)
	if strings.Contains(h.String(), h.says) {
		h.end()
	}
	return n, err
}

// SG-10: a tenant is deleted only by who insists, and not while it is served; from
// then on it is gone for everybody, and its id is not given again.
func TestATenantIsDeleted(t *testing.T) {
	s := start(t, nil)
	on := []string{"--data", s.data}
	must(t, append([]string{"tenant", "add", "acme", "--name", "Acme", "--upstream", "http://localhost:1"}, on...)...)
	s.served(t, "acme", true)
	refused(t, "--yes", append([]string{"tenant", "delete", "acme"}, on...)...)
	refused(t, "being served", append([]string{"tenant", "delete", "acme", "--yes"}, on...)...)
	refused(t, "default tenant", append([]string{"tenant", "delete", "default", "--yes"}, on...)...)
	refused(t, "no such tenant", append([]string{"tenant", "delete", "acne", "--yes"}, on...)...)
	s.served(t, "acme", true)

	ctx, end := context.WithCancel(t.Context())
	out := &hangUp{says: "waiting until", end: end}
	// A running server destroys the keys when it is time, whoever goes away.
	if code := app.CLI(ctx, append([]string{"tenant", "delete", "acme", "--yes", "--force"}, on...), out, out); code != 1 || !strings.Contains(out.String(), "the keys of tenant acme encrypt no more") {
		t.Errorf("%d %s", code, out)
	}
	s.served(t, "acme", false)
	if list := must(t, append([]string{"tenant", "list"}, on...)...); !strings.Contains(list, "deleted") {
		t.Error(list)
	}
	refused(t, "no such tenant", append([]string{"tenant", "enable", "acme"}, on...)...)
	refused(t, "no such tenant", append([]string{"tenant", "edit", "acme", "--name", "x"}, on...)...)
	refused(t, "no such tenant", append([]string{"tenant", "delete", "acme", "--yes"}, on...)...)
	refused(t, "already", append([]string{"tenant", "add", "acme", "--name", "Acme", "--upstream", "http://localhost:1"}, on...)...)
	if code, _, errOut := account(t, "a long enough passphrase\n", "--data", s.data, "--tenant", "acme", "--username", "x", "--name", "X", "--role", "patient"); code != 1 || !strings.Contains(errOut, "no such tenant") {
		t.Errorf("an account at a deleted tenant: %d %s", code, errOut)
	}
	told := 0
	for _, e := range s.events(t, "limit=100") {
		if e.Kind == "tenant.changed" && e.Reason == "tenant-deleted" {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the default tenant's log tells %d times", told)
	}
}
