-- Whether any account has a CA in the mode that only one may have it in.
CREATE INDEX ca_certificates_by_id ON ca_certificates (id);
