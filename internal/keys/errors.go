package keys

import (
	"fmt"

	"github.com/mandate-health/mandate/internal/errs"
)

func errScheme(b byte) error {
	return errs.New(errs.Internal, "sealed-scheme-unknown",
		fmt.Sprintf("A stored value uses encryption scheme %d, which this program was not started with.", b))
}

func errPlain() error {
	return errs.New(errs.Internal, "sealed-plain",
		"A stored value is not encrypted. Run mandate keys reseal --accept-plaintext once, with the server stopped.")
}
