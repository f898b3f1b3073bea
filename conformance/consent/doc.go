// Package consent holds conformance rows; see Sections.
package consent

import "github.com/mandate-health/mandate/conformance/kit"

// Sections gives the rows of this package.
func Sections() []kit.Section { return nil }
