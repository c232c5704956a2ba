;;; Objects of every kind, made in numbers and checked by what they add up to. *scale* multiplies the work.
(defvar *scale* 1)

(defun tree (depth)
  (if (= depth 0) nil (cons (tree (- depth 1)) (tree (- depth 1)))))

(defun leaves (tree)
  (if (null tree) 1 (+ (leaves (car tree)) (leaves (cdr tree)))))

(defclass account ()
  ((name :initarg :name :reader name-of)
   (balance :initarg :balance :accessor balance-of)))

(defgeneric deposit (account amount))
(defmethod deposit ((account account) amount)
  (incf (balance-of account) amount))

(define-condition refused (error) ((amount :initarg :amount :reader amount-of)))

(defun withdraw (account amount)
  (if (> amount (balance-of account))
      (error 'refused :amount amount)
      (decf (balance-of account) amount)))

(defun accounts (count)
  (let ((all (loop for i below count
                   collect (make-instance 'account :name (format nil "a~d" i) :balance i)))
        (refusals 0))
    (dolist (account all)
      (deposit account 50)
      (handler-case (withdraw account 100)
        (refused (problem) (incf refusals (amount-of problem)))))
    (list refusals (reduce #'+ all :key #'balance-of))))

(defun tables (count)
  (let ((table (make-hash-table :test 'equal)))
    (dotimes (i count)
      (setf (gethash (format nil "k~d" i) table) (list i)))
    (dotimes (i count)
      (when (evenp i) (remhash (format nil "k~d" i) table)))
    (let ((sum 0))
      (maphash (lambda (key value) (incf sum (+ (length key) (car value)))) table)
      sum)))

(defun factorial (n)
  (reduce #'* (loop for i from 1 to n collect i)))

(defun closures (count)
  (let ((adders (loop for i below count collect (let ((n i)) (lambda (x) (+ x n))))))
    (reduce (lambda (sum adder) (funcall adder sum)) adders :initial-value 0)))

(defun strings (count)
  (let ((out (make-string-output-stream)))
    (dotimes (i count)
      (princ i out)
      (write-char #\Space out))
    (let ((in (make-string-input-stream (get-output-stream-string out))))
      (loop for number = (read in nil nil) while number sum number))))

(defun arrays (count)
  (let ((kept (make-array 500 :initial-element nil)))
    (dotimes (i count)
      (setf (aref kept (mod (* i 7919) 500))
            (make-array (1+ (mod i 64)) :element-type (if (evenp i) 'double-float t)
                                        :initial-element (if (evenp i) 1d0 i))))
    (loop for array across kept sum (length array))))

(format t "trees ~d~%" (loop repeat (* 10 *scale*) sum (leaves (tree 13))))
(format t "accounts ~s~%" (accounts (* 2000 *scale*)))
(format t "tables ~d~%" (tables (* 15000 *scale*)))
(format t "bignums ~d~%" (length (format nil "~d" (factorial (* 500 *scale*)))))
(format t "closures ~d~%" (closures (* 20000 *scale*)))
(format t "strings ~d~%" (strings (* 5000 *scale*)))
(format t "arrays ~d~%" (arrays (* 20000 *scale*)))
(finish-output)
