package app

import (
	"fmt"

	"github.com/mandate-health/mandate/internal/tlsconf"
)

// tlsCommand helps with the server's certificate.
type tlsCommand struct {
	Pin tlsPin `cmd:"" help:"Print the pin of a key, for tls.backup_pins and for apps that pin."`
}

type tlsPin struct {
	File string `arg:"" help:"PEM file with a certificate, a certificate request, a public or a private key." type:"existingfile"`
}

// Run prints the pin.
func (c *tlsPin) Run(s *streams) error {
	pin, err := tlsconf.PinOfFile(c.File)
	if err != nil {
		return explain(err)
	}
	fmt.Fprintln(s.out, pin)
	return nil
}
