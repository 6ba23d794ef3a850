"""The page a person looks at; `bridge.app.web` serves every file of this folder."""
