// Package health has the two questions that an operator asks of a server: may
// it take requests now (Readiness), and is anything about it wrong (Check,
// which mandate doctor runs).
//
// Each room that knows something worth checking exports Checks; cmd/app collects
// them. It looks at nothing itself and knows no room.
package health
