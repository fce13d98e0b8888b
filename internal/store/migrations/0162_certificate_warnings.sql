-- How near its end a certificate was when its owner was last warned, in days; 0 is
-- never. Certificates that are issued here end with 2049 and are left out of the
-- index: nearly all are.
ALTER TABLE certificates ADD COLUMN warned_days BIGINT NOT NULL DEFAULT 0;

ALTER TABLE ca_certificates ADD COLUMN warned_days BIGINT NOT NULL DEFAULT 0;

CREATE INDEX certificates_by_end ON certificates (account, warned_days, not_after, id)
    WHERE status = 'ACTIVE' AND NOT claim AND not_after < 2524607999000;
