//go:build !pkcs11

package pkcs11_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/keys/pkcs11"
)

// The static program says how the other one is built.
func TestWithoutTheTag(t *testing.T) {
	_, err := pkcs11.Open(pkcs11.Config{Module: "/usr/lib/hsm.so", Token: "a", PIN: "1"})
	wantCode(t, err, "pkcs11-not-built")
	if !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Error(err)
	}
}
