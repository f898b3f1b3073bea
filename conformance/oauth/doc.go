// Package oauth holds conformance rows; see Sections.
package oauth

import "github.com/mandate-health/mandate/conformance/kit"

// Sections gives the rows of this package.
func Sections() []kit.Section { return nil }
