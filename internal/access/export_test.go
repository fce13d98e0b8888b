package access

// Dormant counts the Subjects that have no connection.
func (s *Service) Dormant() int {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	return len(s.live.dormant)
}
