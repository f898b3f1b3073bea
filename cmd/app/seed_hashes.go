package app

// demoHash gives the stored form of a demo person's password, made beforehand at the
// default cost: to hash what everybody knows made each first start wait. It is nil for
// whom there is none; the password is hashed then.
func demoHash(username string) []byte {
	made, ok := map[string]string{
		"rosa":    "$argon2id$v=19$m=19456,t=2,p=1$88VlG21bVfrPsR4rIOZ+kg$ohsk1VQ+wxx6AEtysWfSvTc6/tocf60HmJ0azVe9UNQ",
		"noah":    "$argon2id$v=19$m=19456,t=2,p=1$TCEptodtfC9jTDB/SVtfgQ$s3woJDBP/pQ4DysDZ9qVeupEVDFf6i/neViZdaH++nA",
		"joaquin": "$argon2id$v=19$m=19456,t=2,p=1$m3Q6qtvAvlp+TyPiAGE5Aw$9MfZkaxtkM6uz96mfHdZ2DZv9/33fmXEt4CEI42yZ5k",
		"elena":   "$argon2id$v=19$m=19456,t=2,p=1$xLPb301RjvM6XMVmOPQ7Gw$6vTYWO9OEeHNx6vOo5hr1e36GssdeBqVs5g/iPlXjqc",
		"tomas":   "$argon2id$v=19$m=19456,t=2,p=1$Tpc6EbXhRPJHLABF3A29kQ$alF+0P0M876QhiG4iVH2vw83+jYaZOqkk4onZskgxTM",
		"marcus":  "$argon2id$v=19$m=19456,t=2,p=1$rTTkuhTrSJGQIOtYo/3jBA$g883hywTrM9iBiZBEIflfoORUeqY44twJ9q3PCb1T/w",
		"victor":  "$argon2id$v=19$m=19456,t=2,p=1$N2rHnBUzRQvGOBfJ1MgXGg$SkJGm8tdcPbwkMg8pD+KuXL7ZQZjAKKFLUz+iNYRYDY",
		"ines":    "$argon2id$v=19$m=19456,t=2,p=1$U1zgSM4ljwJ7VmChDQk0/A$KKmtoKLMAhGl1NTTLewXXlDac/JDhPm+iKN/Gncj8PQ",
		"dana":    "$argon2id$v=19$m=19456,t=2,p=1$94kGtlVELEyXaqn5Cnvihw$YXpx5LkvpV1I+VzLM2b6fIBHH3BXRR+a3ow4V6XF4AI",
		"hale":    "$argon2id$v=19$m=19456,t=2,p=1$toD3sJDkKzQzeswNRNo8tA$WlURtreMMqP4O51EIVUKJuHVkm/fNCu0oFNqQ0izhI0",
		"osei":    "$argon2id$v=19$m=19456,t=2,p=1$kP940RVDwkN5LjV80WsX6w$M8b2/tlWMF6AoWlU22kN/uNaY6WZqWxLDMuEfepKjCc",
		"admin":   "$argon2id$v=19$m=19456,t=2,p=1$pMzDXNIKRAg3UG9/M+Kh0Q$Q3V8TVW7ayymEOb8qw7bQsr6MimwflS5h3NQKCp8OYM",
	}[username]
	if !ok {
		return nil
	}
	return []byte(made)
}
