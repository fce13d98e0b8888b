-- The certificates that other accounts offer to one: few among many.
CREATE INDEX certificates_incoming ON certificates (account, created_at, id) WHERE status = 'PENDING_TRANSFER' AND transfer_to = '';
