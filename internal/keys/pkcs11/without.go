//go:build !pkcs11

package pkcs11

import (
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

// Built refuses: this program holds no PKCS#11. Errors: errs.NotSupported
// (pkcs11-not-built).
func Built() error {
	return errs.New(errs.NotSupported, "pkcs11-not-built",
		"This mandate was built without PKCS#11. Use one built with: CGO_ENABLED=1 go build -tags pkcs11 ./cmd/mandate")
}

// Open refuses as Built does.
func Open(Config) (keys.Provider, error) { return nil, Built() }
