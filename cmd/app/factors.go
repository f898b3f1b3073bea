package app

import (
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/password"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/internal/ids"
)

func passwords(src ids.Source) identity.Passwords {
	return password.New(password.Config{Source: src})
}

func codes() identity.Codes { return totp.Codes{} }
