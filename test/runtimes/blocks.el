;; Blocks whose addresses are only integers of Emacs's.
(module-load (getenv "BLOCKS_EMACS"))
(defvar held (make-vector 1000 0))
(dotimes (i 1000) (aset held i (blocks-make)))
(princ (format "kept %d\n" (blocks-churn)))
(fillarray held 0)
(garbage-collect)
(princ (format "left %d\n" (blocks-churn)))
