// Package config fills one struct of settings from defaults, one TOML file, the
// environment and the command line, in that order of rising strength. It
// promises that everything wrong is told at once, each fault with the key and
// where it was set; that an unknown key is refused; and that a secret never
// stands in the file, only in a file of its own or in the environment.
//
// A package that has settings owns a struct of them whose fields carry the tags
// of the command line (name, help, default, enum, placeholder), and, where
// there is something to judge, a Validate method that collects Faults. That one
// field is then a flag, a key of the file, an environment variable and a line
// of the documentation. It owns no setting itself and knows no room.
package config
