# Every target goes down into the directories that SUBDIR names.
.include <bsd.own.mk>
.for _target in dependall obj
${_target}: .PHONY
.for _dir in ${SUBDIR:N.WAIT}
	@cd ${.CURDIR}/${_dir} && ${MAKE} ${_target}
.endfor
.endfor
